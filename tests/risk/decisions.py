"""A decision that passes every check of the gate; a test changes one input."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from tests.marketdata.feed import NOON
from tradingsite.risk import gate
from tradingsite.risk.inputs import Account, BuyLimits, Circumstances, Position, Proposal, Terms
from tradingsite.risk.verdict import Verdict

BTC = "KRW-BTC"
SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
PROPOSAL = Proposal(BTC, "bid", Decimal("0.8"), Decimal(100), NOON - 60 * SECOND)
POSITION = Position(BTC, Decimal(0), Decimal(0))
ACCOUNT = Account(
    krw_free=Decimal(8_000_000),
    equity=Decimal(10_000_000),
    exposure=Decimal(1_000_000),
    day_base=Decimal(10_000_000),
    day_result=Decimal(0),
)
TERMS = Terms(BTC, Decimal("0.0005"), Decimal("0.0005"), Decimal(5000), Decimal(1_000_000_000), active=True)
CIRCUMSTANCES = Circumstances(
    at=NOON,
    trading_enabled=True,
    halts=(),
    volatility_checked_at=NOON - 10 * SECOND,
    price=Decimal("100.5"),
    price_seen_at=NOON - 5 * SECOND,
    synced=True,
    unresolved=0,
)
LIMITS = BuyLimits(
    min_confidence=Decimal("0.6"),
    signal_validity=timedelta(minutes=10),
    max_price_move_pct=Decimal(1),
    daily_loss_limit_pct=Decimal(5),
    max_exposure_pct=Decimal(30),
    position_size_min_pct=Decimal(1),
    position_size_max_pct=Decimal(3),
    stop_loss_pct=Decimal(5),
)


@dataclass(frozen=True)
class Decision:
    """All inputs of the gate."""

    proposal: Proposal = PROPOSAL
    position: Position = POSITION
    account: Account = ACCOUNT
    terms: Terms = TERMS
    circumstances: Circumstances = CIRCUMSTANCES
    limits: BuyLimits = LIMITS

    def but(self, **facts) -> "Decision":
        """Return a copy with `facts` changed, each in the one input that has a field of that name."""
        changed = self
        for name, value in facts.items():
            (place,) = [place for place in vars(self) if hasattr(getattr(self, place), name)]
            changed = replace(changed, **{place: replace(getattr(changed, place), **{name: value})})
        return changed

    @property
    def verdict(self) -> Verdict:
        return gate.evaluate(**vars(self))


BUY = Decision()
SELL = Decision(proposal=replace(PROPOSAL, side="ask"), position=Position(BTC, Decimal(200), Decimal(19_000)))


def failed(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.passed]


def text_of(verdict: Verdict, name: str) -> str:
    """Return the text of the check of that name."""
    return next(check.text for check in verdict.checks if check.name == name)
