"""The result of the risk gate: every check, every limit that reduced the order, and its size."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from tradingsite.amounts import exact


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate. `name` is also the reason code of an order that fails it."""

    name: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Clamp:
    """A limit that reduced an order: the amount before and after, in won for a buy, in coins for a sell."""

    limit: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's result. `funds` of a buy are whole won without the fee, `volume` of a sell are coins."""

    checks: tuple[Check, ...]
    clamps: tuple[Clamp, ...] = ()
    funds: Decimal | None = None
    volume: Decimal | None = None

    @property
    def allowed(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        """The name of the first failed check; "" if the order may be sent."""
        return next((check.name for check in self.checks if not check.passed), "")

    @property
    def text(self) -> str:
        """The English sentence of the first failed check; "" if the order may be sent."""
        return next((check.text for check in self.checks if not check.passed), "")

    def checks_as_json(self) -> list[dict[str, Any]]:
        return [asdict(check) for check in self.checks]

    def clamps_as_json(self) -> list[dict[str, str]]:
        return [
            {"limit": clamp.limit, "before": exact(clamp.before), "after": exact(clamp.after)}
            for clamp in self.clamps
        ]
