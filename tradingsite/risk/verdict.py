"""What the gate says: every check with its reason, every clamp, and the size of the order."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from tradingsite.amounts import exact


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the gate. `name` is also the reason code of an order that failed it."""

    name: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Clamp:
    """A limit that made a buy smaller: won before and after."""

    limit: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer. `funds` of a buy are whole won, the fee not in; `volume` of a sell are coins."""

    checks: tuple[Check, ...]
    clamps: tuple[Clamp, ...] = ()
    funds: Decimal | None = None
    volume: Decimal | None = None

    @property
    def allowed(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        """Return the name of the first check that failed; empty when the order may go out."""
        return next((check.name for check in self.checks if not check.passed), "")

    @property
    def text(self) -> str:
        """Return the English sentence of the first check that failed; empty when the order may go out."""
        return next((check.text for check in self.checks if not check.passed), "")

    def checks_as_json(self) -> list[dict[str, Any]]:
        return [asdict(check) for check in self.checks]

    def clamps_as_json(self) -> list[dict[str, str]]:
        return [
            {"limit": clamp.limit, "before": exact(clamp.before), "after": exact(clamp.after)}
            for clamp in self.clamps
        ]
