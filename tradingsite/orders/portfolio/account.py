"""What the account holds and what it is worth, for the risk gate and for the record (P5, P6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import F
from django.db.models.functions import Coalesce

from tradingsite.amounts import exact
from tradingsite.marketdata.windows import read_windows
from tradingsite.orders.models import AccountReading, Order, OrderState
from tradingsite.orders.portfolio import trading_day
from tradingsite.orders.portfolio.positions import Holding, positions
from tradingsite.risk.inputs import Account

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import Balance

KRW = "KRW"
_NOTHING = Decimal(0)
_FEE_AT_MOST = Decimal("0.0025")
"""The highest fee that Upbit charges. A buy's cost must be known before its own fee is."""
_AT_THE_EXCHANGE_FIRST = {OrderState.OPEN: 0, OrderState.PARTIAL: 0}


class PriceMissing(Exception):
    """A position has no price, so the account's worth is not known.

    Attributes:
        markets: those without a price.
        balances: what the exchange said; a sell needs no more than that.
    """

    def __init__(self, markets: Sequence[str], balances: list[Balance]) -> None:
        super().__init__(f"no price of {', '.join(markets)} is stored: the equity is not known")
        self.markets = tuple(markets)
        self.balances = balances


def read(client: UpbitExchange, prices: Mapping[str, Decimal], at: datetime) -> tuple[list[Balance], Account]:
    """Ask for the balances, store a reading, and return both them and what they are worth.

    Args:
        client: of the account; one request.
        prices: of every market with a position, however old: the gate checks the age. See
            `last_prices`.
        at: the moment of the reading, and of the day's base if it is the day's first.

    Raises:
        PriceMissing: no guess is made; the reading is stored without an equity.
        ClientError: no usable answer.
    """
    balances = client.accounts()
    return balances, judge(balances, prices, at)


def judge(balances: list[Balance], prices: Mapping[str, Decimal], at: datetime) -> Account:
    """Store a reading of balances just read; return what they are worth. Raises PriceMissing."""
    held = positions(at)
    missing = [each.market for each in held if each.volume and each.market not in prices]
    if missing:
        _store(balances, held, None, at)
        raise PriceMissing(missing, balances)
    free, locked = of_currency(balances, KRW)
    value = sum((_there(each, balances) * prices[each.market] for each in held if each.volume), _NOTHING)
    result = sum((each.realised + _unrealised(each, prices) for each in held), _NOTHING)
    equity = free + locked + value
    _store(balances, held, equity, at)
    buys = _buys_under_way()
    day = trading_day.measure(trading_day.DayInputs(equity, result), at)
    return Account(
        krw_free=free - _not_shown_as_locked(buys, locked),
        equity=equity,
        exposure=value + sum(buys, _NOTHING),
        day_base=day.base,
        day_result=day.result,
    )


def last_prices(at: datetime) -> dict[str, Decimal]:
    """Return the last stored price of every market with a position, however old."""
    held = [each.market for each in positions(at) if each.volume]
    return {window.market: window.price for window in read_windows(held, at) if window.price is not None}


def of_currency(balances: Iterable[Balance], currency: str) -> tuple[Decimal, Decimal]:
    """Return what is free and what is locked; a currency that was never held is not in `balances`."""
    for each in balances:
        if each.currency == currency:
            return each.balance, each.locked
    return _NOTHING, _NOTHING


def total(balances: Iterable[Balance], currency: str) -> Decimal:
    free, locked = of_currency(balances, currency)
    return free + locked


def unexplained(balances: Iterable[Balance], held: Iterable[Holding]) -> dict[str, str]:
    """Return how much of won and of each traded coin our fills do not explain; below 0 it is missing."""
    balances = list(balances)
    rest = {KRW: total(balances, KRW)}
    for each in held:
        rest[KRW] -= each.realised - each.cost
        rest[coin(each.market)] = total(balances, coin(each.market)) - each.volume
    return {currency: exact(amount) for currency, amount in rest.items()}


def coin(market: str) -> str:
    """Return the currency that a market trades.

    >>> coin("KRW-BTC")
    'BTC'
    """
    return market.partition("-")[2]


def _there(holding: Holding, balances: list[Balance]) -> Decimal:
    # What was sold or taken out without our knowing is no longer worth anything to us.
    return min(holding.volume, total(balances, coin(holding.market)))


def _unrealised(holding: Holding, prices: Mapping[str, Decimal]) -> Decimal:
    return holding.unrealised(prices[holding.market]) if holding.volume else _NOTHING


def _buys_under_way() -> list[Decimal]:
    """Return what each buy may still spend, those that the exchange is known to have first."""
    asked = Coalesce("funds", F("price") * F("volume"))
    buys = (
        Order.objects.active().filter(side="bid").order_by("pk").values_list("state", asked, "executed_funds")
    )
    by_knowledge = sorted(buys, key=lambda buy: _AT_THE_EXCHANGE_FIRST.get(OrderState(buy[0]), 1))
    return [asked - spent for _, asked, spent in by_knowledge]


def _not_shown_as_locked(buys: list[Decimal], locked: Decimal) -> Decimal:
    missing = _NOTHING
    for buy in buys:
        if buy <= locked:
            locked -= buy
        else:
            missing += buy * (1 + _FEE_AT_MOST)
    return missing


def _store(balances: list[Balance], held: list[Holding], equity: Decimal | None, at: datetime) -> None:
    free, locked = of_currency(balances, KRW)
    coins = {
        each.currency: [f"{each.balance:f}", f"{each.locked:f}"] for each in balances if each.currency != KRW
    }
    reading = {"krw_free": free, "krw_locked": locked, "coins": coins, "equity": equity}
    # An order whose outcome is open may have moved any of it.
    explained = not Order.objects.active().exists()
    reading["unexplained"] = unexplained(balances, held) if explained else {}
    AccountReading.objects.update_or_create(read_at=at, defaults=reading)
