"""The risk gate: decides by a fixed list of checks whether a signal may become an order.

Rules: docs/risk.md V10-V15.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from math import ceil, floor

from tradingsite.amounts import exact, short
from tradingsite.marketdata.windows import SEEN_LIMIT_S
from tradingsite.risk import position_size
from tradingsite.risk.inputs import (
    BUY,
    Account,
    BuyLimits,
    Circumstances,
    Position,
    Proposal,
    SignalLimits,
    Terms,
)
from tradingsite.risk.verdict import Check, Verdict

CHECKED_LIMIT = timedelta(seconds=90)
"""Three rounds of `check_volatility`; after that the volatility counts as unchecked."""
SEEN_LIMIT = timedelta(seconds=SEEN_LIMIT_S)
FUTURE_TOLERANCE = timedelta(seconds=10)
"""Other processes may store newer data during the decision; if it is further ahead, a clock is wrong."""
COIN_STEP = Decimal("1e-8")
"""The smallest part of a coin that Upbit trades."""


def evaluate(
    proposal: Proposal,
    position: Position,
    account: Account,
    terms: Terms,
    circumstances: Circumstances,
    limits: SignalLimits,
) -> Verdict:
    """Evaluate all checks for the order's side in a fixed order; the first failure is the reason.

    All are evaluated and recorded, even after a failure. Sells need only the `SignalLimits` and skip checks
    that are for buys; a buy needs all `BuyLimits`.
    """
    if proposal.side == BUY:
        if not isinstance(limits, BuyLimits):
            raise TypeError("a buy needs all limits")
        sized = position_size.buy_size(proposal, account, terms, limits)
        checks = (
            *_buying_checks(circumstances),
            *_signal_checks(proposal, circumstances, limits, _price_moved(proposal, circumstances, limits)),
            *_market_checks(terms, circumstances),
            _daily_loss(account, limits),
            *sized.checks,
        )
        return Verdict(checks, sized.clamps, funds=sized.funds)
    volume = position.volume.quantize(COIN_STEP, ROUND_FLOOR)
    checks = (
        *_signal_checks(proposal, circumstances, limits),
        *_market_checks(terms, circumstances),
        *_sell_checks(volume, circumstances.price or proposal.signal_price, terms),
    )
    return Verdict(checks, volume=volume)


def _buying_checks(now: Circumstances) -> Iterator[Check]:
    switch = "on" if now.trading_enabled else "off"
    yield Check("trading_disabled", now.trading_enabled, f"trading_enabled is {switch}")
    yield Check("halted", not now.halts, "; ".join(now.halts) or "no halt is open")
    synced = "our orders were reconciled" if now.synced else "our orders could not be reconciled"
    yield Check("not_synced", now.synced, synced)
    checked = now.volatility_checked_at
    yield _recency_check("volatility_unchecked", "check_volatility succeeded", now.at, checked, CHECKED_LIMIT)
    seen_at = now.price_seen_at if now.price else None
    yield _recency_check("price_stale", "the price was last seen", now.at, seen_at, SEEN_LIMIT)


def _signal_checks(
    proposal: Proposal, now: Circumstances, limits: SignalLimits, *buy_checks: Check
) -> Iterator[Check]:
    # No tolerance: the signal's inputs were read before the decision, by the same clock.
    what, tolerance = "the signal's inputs are from", timedelta(0)
    yield _recency_check("signal_expired", what, now.at, proposal.as_of, limits.signal_validity, tolerance)
    yield from buy_checks
    text = f"confidence {exact(proposal.confidence)}, at least {exact(limits.min_confidence)} is needed"
    yield Check("low_confidence", limits.min_confidence <= proposal.confidence <= 1, text)


def _price_moved(proposal: Proposal, now: Circumstances, limits: BuyLimits) -> Check:
    if now.price is None or now.price <= 0 or proposal.signal_price <= 0:
        return Check("price_moved", False, "the price now or that of the signal is not known")
    move_pct = abs(now.price - proposal.signal_price) * 100 / proposal.signal_price
    limit = exact(limits.max_price_move_pct)
    text = f"the price moved {exact(round(move_pct, 4))} % since the signal, limit {limit} %"
    return Check("price_moved", move_pct < limits.max_price_move_pct, text)


def _market_checks(terms: Terms, now: Circumstances) -> Iterator[Check]:
    text = f"unresolved orders of this market: {now.unresolved}"
    yield Check("order_unresolved", not now.unresolved, text)
    state = "accepts" if terms.active else "accepts no"
    yield Check("market_offline", terms.active, f"the exchange {state} orders of {terms.market}")


def _daily_loss(account: Account, limits: BuyLimits) -> Check:
    base, result = account.day_base, account.day_result
    if base is None or result is None or base <= 0:
        return Check("daily_loss", False, "the equity at the start of the day is not known")
    limit = base * limits.daily_loss_limit_pct / 100
    text = f"the day's result is {short(result)} KRW, limit -{short(limit)} KRW"
    return Check("daily_loss", result > -limit, text)


def _sell_checks(volume: Decimal, price: Decimal, terms: Terms) -> Iterator[Check]:
    yield Check("nothing_to_sell", volume > 0, f"our position is {short(volume)}")
    total = volume * price
    text = f"worth {exact(total)} KRW, the exchange takes {short(terms.min_total)} KRW or more"
    yield Check("dust", total >= terms.min_total, text)


def _recency_check(
    name: str,
    what: str,
    at: datetime,
    moment: datetime | None,
    limit: timedelta,
    tolerance: timedelta = FUTURE_TOLERANCE,
) -> Check:
    if moment is None:
        return Check(name, False, f"{what}: never")
    age_s = (at - moment).total_seconds()
    age = f"{ceil(age_s)} s ago" if age_s >= 0 else f"{-floor(age_s)} s in the future"
    text = f"{what} {age}, limit {limit.total_seconds():.0f} s"
    return Check(name, -tolerance <= at - moment <= limit, text)
