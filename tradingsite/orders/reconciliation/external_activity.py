"""Finds orders and balance changes at the exchange that the trader did not cause (docs/positions.md P9, P10).

They are reported, but never become part of our positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from healthcheck.templatetags.moments import moment_text
from tradingsite.amounts import exact
from tradingsite.orders.models import AccountReading, Order, OrderState, SyncRound
from tradingsite.orders.portfolio import account
from tradingsite.orders.portfolio.positions import positions
from tradingsite.risk.gate import COIN_STEP

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import Balance, ExchangeOrder

LOOK_BACK = timedelta(days=7)
"""How far back orders are read: the longest span of one request."""
_OVERLAP = timedelta(minutes=1)
"""So that an order made just at the last round, by another clock, is not missed."""
_GIVEN_UP = (OrderState.LOST, OrderState.REJECTED, OrderState.DENIED)
_MAX_LISTED = 50
"""External orders listed one by one; the rest are only counted."""
_TOLERANCES = {account.KRW: Decimal(1)}


@dataclass(frozen=True, slots=True)
class ExternalActivity:
    """Something that our orders do not explain.

    Attributes:
        kind: "order": not made by the trader. "lost_order": our order, which we had given up, exists.
            "balance": changed without us since the last reading. "missing": less than our position. "more":
            orders not listed one by one.
        text: one English sentence for people.
        of: the market or the currency.
        uuid: Upbit's id of the order.
        identifier: the id given by the order's creator.
    """

    kind: str
    text: str
    of: str
    uuid: str = ""
    identifier: str = ""


def find(client: UpbitExchange, balances: list[Balance], at: datetime) -> list[dict[str, Any]]:
    """Return, as JSON, what the exchange shows and our orders do not explain. Changes no order.

    Call it after the round has resolved what it could, with balances read after that. Stores a reading.

    Raises:
        ClientError: no usable answer.
    """
    last = SyncRound.objects.filter(at__lt=at).order_by("-at").first()
    start = max(last.at - _OVERLAP, at - LOOK_BACK) if last else at - LOOK_BACK
    listed = [*client.open_orders(), *client.closed_orders(start=start, end=at)]
    orders = list(_orders({order.uuid: order for order in listed}))
    found = [*orders[:_MAX_LISTED], *_omitted(orders), *_balances(balances, at)]
    return [asdict(each) for each in found]


def _orders(listed: dict[str, ExchangeOrder]) -> Iterator[ExternalActivity]:
    named = [order.identifier for order in listed.values() if order.identifier]
    known = Order.objects.filter(Q(uuid__in=list(listed)) | Q(identifier__in=named))
    states = dict[str | None, str]()
    for uuid, identifier, state in known.values_list("uuid", "identifier", "state"):
        states |= {identifier: state} if uuid is None else {identifier: state, uuid: state}
    for order in listed.values():
        our_state = states.get(order.uuid) or states.get(order.identifier)
        if our_state is None:
            text = f"{_describe(order)} at the exchange was not made by this trader"
            yield ExternalActivity("order", text, order.market, order.uuid, order.identifier or "")
        elif our_state in _GIVEN_UP:
            text = f"{_describe(order)} exists at the exchange, but is {our_state} in our database"
            yield ExternalActivity("lost_order", text, order.market, order.uuid, order.identifier or "")


def _describe(order: ExchangeOrder) -> str:
    side = {"bid": "buy", "ask": "sell"}.get(order.side, order.side)
    filled = f"{exact(order.executed_volume)} filled"
    return f"the {order.market} {side} of {moment_text(order.created_at)} UTC ({order.state}, {filled})"


def _omitted(orders: list[ExternalActivity]) -> Iterator[ExternalActivity]:
    if len(orders) > _MAX_LISTED:
        yield ExternalActivity(
            "more", f"{len(orders) - _MAX_LISTED} more orders were not made by this trader", ""
        )


def _balances(balances: list[Balance], at: datetime) -> Iterator[ExternalActivity]:
    # Without a price the reading is stored without an equity, but amounts can still be compared.
    with suppress(account.PriceMissing):
        account.evaluate(balances, account.last_prices(at), at)
    now = AccountReading.objects.get(read_at=at).unexplained
    if not now:
        return
    # Compared with the last round, because readings in between cause no warning.
    of_rounds = AccountReading.objects.filter(read_at__lt=at, read_at__in=SyncRound.objects.values("at"))
    last_explained = of_rounds.exclude(unexplained={}).order_by("-read_at").first()
    before = last_explained.unexplained if last_explained else {account.KRW: now[account.KRW]}
    yield from _moved(before, now)
    yield from _missing(balances, at)


def _moved(before: dict[str, str], now: dict[str, str]) -> Iterator[ExternalActivity]:
    for currency, amount in now.items():
        moved = Decimal(amount) - Decimal(before.get(currency, "0"))
        if abs(moved) <= _TOLERANCES.get(currency, COIN_STEP):
            continue
        if currency in before:
            text = f"the {currency} balance moved by {moved.normalize():+f} without our orders"
        else:
            text = f"{exact(moved)} {currency} in the account do not come from our orders"
        yield ExternalActivity("balance", text, currency)


def _missing(balances: Iterable[Balance], at: datetime) -> Iterator[ExternalActivity]:
    balances = list(balances)
    for each in positions(at):
        actual = account.total(balances, account.coin(each.market))
        if each.volume - actual > COIN_STEP:
            ours = exact(each.volume)
            text = f"only {exact(actual)} of our position of {ours} {each.market} is in the account"
            yield ExternalActivity("missing", text, each.market)
