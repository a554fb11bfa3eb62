"""What a call costs by the vendor's list prices (D10)."""

from dataclasses import dataclass
from decimal import Decimal

PRICE_TABLE = "2026-11"
"""Version of the prices below; a price that changes makes a new one."""

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens. Thinking is billed as output."""

    prompt: Decimal
    output: Decimal


PRICES = {
    "gemini-3.5-flash-lite": Price(Decimal("0.30"), Decimal("2.50")),
    "gemini-3.8-flash": Price(Decimal("0.75"), Decimal("3.75")),
}


def cost_usd(family: str, prompt: int | None, output: int | None, thinking: int | None) -> Decimal | None:
    """Return the list price of so many tokens; None when the model or a count is not known."""
    price = PRICES.get(family)
    if price is None or prompt is None or output is None or thinking is None:
        return None
    return (prompt * price.prompt + (output + thinking) * price.output) / _MILLION
