"""Books money between available and locked balances; no balance becomes negative.

Rules: docs/sandbox-exchange.md E10, E12.
"""

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, localcontext

from tradingsite.sandbox.exchange.orders import Order, Trade
from tradingsite.sandbox.exchange.refusals import Denied
from tradingsite.sandbox.exchange.state import ExchangeState, Purse

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation])
"""Arithmetic that fails instead of rounding: a fee can have more than thirty digits."""
_ROUNDED = Context(prec=60, rounding=ROUND_HALF_EVEN)


def currencies(order: Order) -> tuple[str, str]:
    """Return the quote and base currency: KRW and BTC for KRW-BTC."""
    quote, _, base = order.market.partition("-")
    return quote, base


class Ledger:
    """Changes the balances in a state. Call it in the decimal context EXACT."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state

    def purse(self, currency: str) -> Purse:
        return self._state.purses.get(currency, Purse())

    def check_funds(self, order: Order) -> None:
        """Raise `Denied` unless the account can pay for the order including its fee."""
        currency = _locked_currency(order)
        if order.reserved > self.purse(currency).balance:
            raise Denied.insufficient_funds(order.side, currency)

    def lock(self, order: Order) -> None:
        self.check_funds(order)
        self._move(_locked_currency(order), balance=-order.reserved, locked=order.reserved)

    def settle(self, order: Order, trade: Trade) -> None:
        """Book a trade: the buyer pays the fee on top, the seller gets the proceeds less the fee."""
        quote, base = currencies(order)
        fee = trade.funds * order.fee_rate
        if order.side == "bid":
            self._move(quote, locked=-(trade.funds + fee))
            self._bought(base, trade)
        else:
            self._move(base, locked=-trade.volume)
            self._move(quote, balance=trade.funds - fee)

    def release(self, order: Order) -> None:
        self._move(_locked_currency(order), balance=order.locked, locked=-order.locked)

    def _bought(self, currency: str, trade: Trade) -> None:
        before = self.purse(currency)
        with localcontext(_ROUNDED):  # the average is only displayed, and Upbit rounds it, too
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


def _locked_currency(order: Order) -> str:
    quote, base = currencies(order)
    return quote if order.side == "bid" else base
