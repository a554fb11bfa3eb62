"""Where the money is: free, locked for an order, or traded. No purse gets negative (E10, E12)."""

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, localcontext

from tradingsite.sandbox.exchange.orders import Order, Trade
from tradingsite.sandbox.exchange.refusals import Denied
from tradingsite.sandbox.exchange.state import ExchangeState, Purse

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation])
"""Arithmetic that fails instead of rounding: a fee may need thirty digits and more."""
_ROUNDED = Context(prec=60, rounding=ROUND_HALF_EVEN)


def currencies(order: Order) -> tuple[str, str]:
    """Return quote and base, KRW and BTC for KRW-BTC."""
    quote, _, base = order.market.partition("-")
    return quote, base


class Ledger:
    """Moves money between the purses of a state. Call it under the context EXACT."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def purse(self, currency: str) -> Purse:
        return self._state.purses.get(currency, Purse())

    def check_funds(self, order: Order) -> None:
        """Raise `Denied` unless the account can pay for the order, fee included."""
        currency = _locks(order)
        if order.reserved > self.purse(currency).balance:
            raise Denied.poor(order.side, currency)

    def lock(self, order: Order) -> None:
        self.check_funds(order)
        self._move(_locks(order), balance=-order.reserved, locked=order.reserved)

    def settle(self, order: Order, trade: Trade) -> None:
        """Exchange what was locked for what was bought: the fee is on top of a buy, off a sell."""
        quote, base = currencies(order)
        fee = trade.funds * order.fee_rate
        if order.side == "bid":
            self._move(quote, locked=-(trade.funds + fee))
            self._bought(base, trade)
        else:
            self._move(base, locked=-trade.volume)
            self._move(quote, balance=trade.funds - fee)

    def release(self, order: Order) -> None:
        self._move(_locks(order), balance=order.locked, locked=-order.locked)

    def _bought(self, currency: str, trade: Trade) -> None:
        before = self.purse(currency)
        with localcontext(_ROUNDED):  # an average, for show: the exchange rounds it too
            cost = before.avg_buy_price * before.total + trade.funds
            average = (cost / (before.total + trade.volume)).quantize(Decimal("1e-8"))
        self._move(currency, balance=trade.volume)
        self._state.put_purse(currency, replace(self.purse(currency), avg_buy_price=average))

    def _move(self, currency: str, *, balance: Decimal = Decimal(), locked: Decimal = Decimal()) -> None:
        before = self.purse(currency)
        after = replace(before, balance=before.balance + balance, locked=before.locked + locked)
        if after.balance < 0 or after.locked < 0:
            raise ArithmeticError(f"{currency} would be negative: {after}")
        self._state.put_purse(currency, after)


def _locks(order: Order) -> str:
    quote, base = currencies(order)
    return quote if order.side == "bid" else base
