"""What the exchange shows that the trader did not cause: reported, never adopted (P9, P10)."""

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
"""How far back orders are read: what one request may span."""
_OVERLAP = timedelta(minutes=1)
"""An order made at the very moment of the last round, by another clock, is not missed."""
_GIVEN_UP = (OrderState.LOST, OrderState.REJECTED, OrderState.DENIED)
_SHOWN = 50
"""External orders listed one by one; of the rest only how many."""
_MOVED_MORE_THAN = {account.KRW: Decimal(1)}


@dataclass(frozen=True, slots=True)
class ExternalActivity:
    """One thing that our orders do not explain.

    Attributes:
        kind: "order": not made by the trader. "lost_order": ours, given up by our books, and yet it exists.
            "balance": it moved without us since the last reading. "missing": less is there than our position.
            "more": orders that are not listed one by one.
        text: one English sentence for people.
        of: the market or the currency.
        uuid: Upbit's name of the order.
        identifier: the name its maker gave it.
    """

    kind: str
    text: str
    of: str
    uuid: str = ""
    identifier: str = ""


def find(client: UpbitExchange, balances: list[Balance], at: datetime) -> list[dict[str, Any]]:
    """Return, as JSON, what the exchange shows and our books do not explain. Changes no order.

    Call it when the round has resolved what it could, with balances read after that. Stores a reading.

    Raises:
        ClientError: no usable answer.
    """
    last = SyncRound.objects.filter(at__lt=at).order_by("-at").first()
    start = max(last.at - _OVERLAP, at - LOOK_BACK) if last else at - LOOK_BACK
    shown = [*client.open_orders(), *client.closed_orders(start=start, end=at)]
    orders = list(_orders({order.uuid: order for order in shown}))
    found = [*orders[:_SHOWN], *_the_rest(orders), *_balances(balances, at)]
    return [asdict(each) for each in found]


def _orders(shown: dict[str, ExchangeOrder]) -> Iterator[ExternalActivity]:
    named = [order.identifier for order in shown.values() if order.identifier]
    known = Order.objects.filter(Q(uuid__in=list(shown)) | Q(identifier__in=named))
    states = dict[str | None, str]()
    for uuid, identifier, state in known.values_list("uuid", "identifier", "state"):
        states |= {identifier: state} if uuid is None else {identifier: state, uuid: state}
    for order in shown.values():
        ours = states.get(order.uuid) or states.get(order.identifier)
        if ours is None:
            text = f"{_what(order)} at the exchange was not made by this trader"
            yield ExternalActivity("order", text, order.market, order.uuid, order.identifier or "")
        elif ours in _GIVEN_UP:
            text = f"{_what(order)} exists at the exchange, but our books say {ours}"
            yield ExternalActivity("lost_order", text, order.market, order.uuid, order.identifier or "")


def _what(order: ExchangeOrder) -> str:
    side = {"bid": "buy", "ask": "sell"}.get(order.side, order.side)
    filled = f"{exact(order.executed_volume)} filled"
    return f"the {order.market} {side} of {moment_text(order.created_at)} UTC ({order.state}, {filled})"


def _the_rest(orders: list[ExternalActivity]) -> Iterator[ExternalActivity]:
    if len(orders) > _SHOWN:
        yield ExternalActivity("more", f"{len(orders) - _SHOWN} more orders were not made by this trader", "")


def _balances(balances: list[Balance], at: datetime) -> Iterator[ExternalActivity]:
    with suppress(account.PriceMissing):  # then it is stored without an equity: amounts can be compared
        account.judge(balances, account.last_prices(at), at)
    now = AccountReading.objects.get(read_at=at).unexplained
    if not now:
        return
    # Against the last round's: no one is warned of what a reading in between found.
    of_rounds = AccountReading.objects.filter(read_at__lt=at, read_at__in=SyncRound.objects.values("at"))
    settled = of_rounds.exclude(unexplained={}).order_by("-read_at").first()
    before = settled.unexplained if settled else {account.KRW: now[account.KRW]}
    yield from _moved(before, now)
    yield from _missing(balances, at)


def _moved(before: dict[str, str], now: dict[str, str]) -> Iterator[ExternalActivity]:
    for currency, amount in now.items():
        moved = Decimal(amount) - Decimal(before.get(currency, "0"))
        if abs(moved) <= _MOVED_MORE_THAN.get(currency, COIN_STEP):
            continue
        if currency in before:
            text = f"the {currency} balance moved by {moved.normalize():+f} without our orders"
        else:
            text = f"{exact(moved)} {currency} in the account do not come from our orders"
        yield ExternalActivity("balance", text, currency)


def _missing(balances: Iterable[Balance], at: datetime) -> Iterator[ExternalActivity]:
    balances = list(balances)
    for each in positions(at):
        there = account.total(balances, account.coin(each.market))
        if each.volume - there > COIN_STEP:
            ours = exact(each.volume)
            text = f"only {exact(there)} of our position of {ours} {each.market} is in the account"
            yield ExternalActivity("missing", text, each.market)
