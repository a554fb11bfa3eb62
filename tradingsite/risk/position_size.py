"""Computes the size of a buy from the signal's confidence, and reduces it to every limit.

Rules: docs/risk.md V13, V14.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from tradingsite.amounts import exact, short
from tradingsite.risk.inputs import Account, BuyLimits, Proposal, Terms
from tradingsite.risk.verdict import Check, Clamp

SELLABLE_MARGIN = Decimal("1.1")
"""A stop-loss sells below its price, and even then the position must exceed the exchange's minimum."""
_WON = Decimal(1)


@dataclass(frozen=True, slots=True)
class BuySize:
    """A buy's total in whole won, the limits that reduced it, and the checks of the result."""

    funds: Decimal
    clamps: tuple[Clamp, ...]
    checks: tuple[Check, ...]


def buy_size(proposal: Proposal, account: Account, terms: Terms, limits: BuyLimits) -> BuySize:
    """Return the size of the buy. If a limit is used up, it is 0 and that limit's check fails."""
    funds, clamps = size_by_confidence(proposal.confidence, account, limits), list[Clamp]()
    ceilings = _ceilings(account, terms, limits)
    for limit, ceiling in ceilings.items():
        if funds > ceiling:
            clamps.append(Clamp(limit, funds, ceiling))
            funds = ceiling
    funds = funds.quantize(_WON, ROUND_FLOOR)
    checks = (
        _exposure(account, limits),
        _size(proposal, account, limits),
        _free_balance(funds, account, terms),
        _sellable(funds, terms, limits),
    )
    return BuySize(funds, tuple(clamps), checks)


def size_by_confidence(confidence: Decimal, account: Account, limits: BuyLimits) -> Decimal:
    """Return the size by confidence: the minimum at the lowest accepted confidence, the maximum at 1."""
    span = 1 - limits.min_confidence
    share = (confidence - limits.min_confidence) / span if span > 0 else Decimal(1)
    range_pct = limits.position_size_max_pct - limits.position_size_min_pct
    size_pct = limits.position_size_min_pct + range_pct * min(max(share, Decimal(0)), Decimal(1))
    return max(account.equity, Decimal(0)) * size_pct / 100


def min_buy(terms: Terms, limits: BuyLimits) -> Decimal:
    """Return the smallest buy that could still be sold after a stop-loss."""
    return terms.min_total / (1 - limits.stop_loss_pct / 100) * SELLABLE_MARGIN


def _ceilings(account: Account, terms: Terms, limits: BuyLimits) -> dict[str, Decimal]:
    return {
        "max_exposure_pct": max(_room(account, limits), Decimal(0)),
        "free_balance": max(account.krw_free, Decimal(0)) / (1 + terms.bid_fee),
        "max_total": terms.max_total,
    }


def _room(account: Account, limits: BuyLimits) -> Decimal:
    return account.equity * limits.max_exposure_pct / 100 - account.exposure


def _exposure(account: Account, limits: BuyLimits) -> Check:
    room = _room(account, limits)
    most = f"{short(limits.max_exposure_pct)} % of equity"
    text = f"exposure {short(account.exposure)} KRW, room for {short(room)} KRW up to {most}"
    return Check("exposure_full", room > 0, text)


def _size(proposal: Proposal, account: Account, limits: BuyLimits) -> Check:
    funds = size_by_confidence(proposal.confidence, account, limits)
    text = (
        f"{short(funds)} KRW of {short(account.equity)} KRW equity by confidence {exact(proposal.confidence)}"
    )
    return Check("no_size", funds >= _WON, text)


def _free_balance(funds: Decimal, account: Account, terms: Terms) -> Check:
    cost = funds * (1 + terms.bid_fee)
    text = f"{short(cost)} KRW with the fee on top, {short(account.krw_free)} KRW free"
    return Check("no_free_balance", account.krw_free > 0 and cost <= account.krw_free, text)


def _sellable(funds: Decimal, terms: Terms, limits: BuyLimits) -> Check:
    floor = min_buy(terms, limits)
    text = f"{short(funds)} KRW; below {short(floor)} KRW it could not be sold after a stop-loss"
    return Check("too_small_to_sell", funds >= floor, text)
