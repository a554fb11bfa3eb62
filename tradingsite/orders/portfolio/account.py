"""Reads the account's balances and values them, for the risk gate and the stored readings.

Rules: docs/positions.md P5, P6.
"""

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
_ZERO = Decimal(0)
_MAX_FEE = Decimal("0.0025")
"""Upbit's highest fee: a buy's cost must be known before its own fee is."""
_CONFIRMED_FIRST = {OrderState.OPEN: 0, OrderState.PARTIAL: 0}


class PriceMissing(Exception):
    """A position has no price, so the account cannot be valued.

    Attributes:
        markets: those without a price.
        balances: as read from the exchange; enough for a sell.
    """

    def __init__(self, markets: Sequence[str], balances: list[Balance]) -> None:
        super().__init__(f"no price of {', '.join(markets)} is stored: the equity is not known")
        self.markets = tuple(markets)
        self.balances = balances


def read(client: UpbitExchange, prices: Mapping[str, Decimal], at: datetime) -> tuple[list[Balance], Account]:
    """Read the balances, store a reading, and return the balances and their value.

    Args:
        client: for our account; one request.
        prices: of every market with a position, however old, because the gate checks the age. See
            `last_prices`.
        at: the time of the reading, and of the day's base if it is the day's first.

    Raises:
        PriceMissing: a price is missing; the reading is stored without an equity.
        ClientError: no usable answer.
    """
    balances = client.accounts()
    return balances, evaluate(balances, prices, at)


def evaluate(balances: list[Balance], prices: Mapping[str, Decimal], at: datetime) -> Account:
    """Store a reading of the given balances; return their value. Raises PriceMissing."""
    holdings = positions(at)
    missing = [each.market for each in holdings if each.volume and each.market not in prices]
    if missing:
        _store(balances, holdings, None, at)
        raise PriceMissing(missing, balances)
    free, locked = free_and_locked(balances, KRW)
    value = sum((_available(each, balances) * prices[each.market] for each in holdings if each.volume), _ZERO)
    result = sum((each.realised + _unrealised(each, prices) for each in holdings), _ZERO)
    equity = free + locked + value
    _store(balances, holdings, equity, at)
    buys = _pending_buys()
    day = trading_day.measure(trading_day.DayInputs(equity, result), at)
    return Account(
        krw_free=free - _unlocked_cost(buys, locked),
        equity=equity,
        exposure=value + sum(buys, _ZERO),
        day_base=day.base,
        day_result=day.result,
    )


def last_prices(at: datetime) -> dict[str, Decimal]:
    """Return the last stored price of every market with a position, however old."""
    holdings = [each.market for each in positions(at) if each.volume]
    return {window.market: window.price for window in read_windows(holdings, at) if window.price is not None}


def free_and_locked(balances: Iterable[Balance], currency: str) -> tuple[Decimal, Decimal]:
    """Return the available and the locked amount; both 0 if `balances` lacks the currency."""
    for each in balances:
        if each.currency == currency:
            return each.balance, each.locked
    return _ZERO, _ZERO


def total(balances: Iterable[Balance], currency: str) -> Decimal:
    free, locked = free_and_locked(balances, currency)
    return free + locked


def unexplained(balances: Iterable[Balance], holdings: Iterable[Holding]) -> dict[str, str]:
    """Return the won and coins that our fills do not explain; negative amounts are missing."""
    balances = list(balances)
    remainder = {KRW: total(balances, KRW)}
    for each in holdings:
        remainder[KRW] -= each.realised - each.cost
        remainder[coin(each.market)] = total(balances, coin(each.market)) - each.volume
    return {currency: exact(amount) for currency, amount in remainder.items()}


def coin(market: str) -> str:
    """Return the currency traded in a market.

    >>> coin("KRW-BTC")
    'BTC'
    """
    return market.partition("-")[2]


def _available(holding: Holding, balances: list[Balance]) -> Decimal:
    # Coins that were sold or withdrawn without the trader no longer count.
    return min(holding.volume, total(balances, coin(holding.market)))


def _unrealised(holding: Holding, prices: Mapping[str, Decimal]) -> Decimal:
    return holding.unrealised(prices[holding.market]) if holding.volume else _ZERO


def _pending_buys() -> list[Decimal]:
    """Return what each active buy may still spend, those confirmed by the exchange first."""
    order_total = Coalesce("funds", F("price") * F("volume"))
    buys = Order.objects.active().filter(side="bid").order_by("pk")
    amounts = buys.values_list("state", order_total, "executed_funds")
    confirmed_first = sorted(amounts, key=lambda buy: _CONFIRMED_FIRST.get(OrderState(buy[0]), 1))
    return [ordered - spent for _, ordered, spent in confirmed_first]


def _unlocked_cost(buys: list[Decimal], locked: Decimal) -> Decimal:
    missing = _ZERO
    for buy in buys:
        if buy <= locked:
            locked -= buy
        else:
            missing += buy * (1 + _MAX_FEE)
    return missing


def _store(balances: list[Balance], holdings: list[Holding], equity: Decimal | None, at: datetime) -> None:
    free, locked = free_and_locked(balances, KRW)
    coins = {
        each.currency: [f"{each.balance:f}", f"{each.locked:f}"] for each in balances if each.currency != KRW
    }
    reading = {"krw_free": free, "krw_locked": locked, "coins": coins, "equity": equity}
    # An active order may have changed any balance, so nothing can be explained yet.
    explained = not Order.objects.active().exists()
    reading["unexplained"] = unexplained(balances, holdings) if explained else {}
    AccountReading.objects.update_or_create(read_at=at, defaults=reading)
