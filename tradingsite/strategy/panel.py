"""The status page's panel of the last signals and what the price did after them."""

from dataclasses import dataclass

from django.utils.translation import gettext

from tradingsite.risk.denial_reasons import denial
from tradingsite.strategy.hold_reasons import reason
from tradingsite.strategy.models import SignalOutcome, TradingSignal

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Move:
    """The price move until `after`; `outcome` is None if it is not measured yet."""

    after: SignalOutcome.After
    outcome: SignalOutcome | None

    @property
    def label(self) -> str:
        return gettext("After %(span)s") % {"span": self.after.label}

    @property
    def shown(self) -> str:
        if self.outcome is None or self.outcome.move_pct is None:
            return ""
        return f"{self.outcome.move_pct:+.2f}"


@dataclass(frozen=True, slots=True)
class Row:
    """One decision with its moves and its order. Texts are translated when displayed."""

    signal: TradingSignal
    moves: tuple[Move, ...]

    @property
    def icon(self) -> str:
        return {"BUY": "up", "SELL": "down"}.get(self.signal.decision, "hold")

    @property
    def why(self) -> str:
        return reason(self.signal.reason_code)

    @property
    def order_why(self) -> str:
        """Why there is no order at the exchange; "" if there is one."""
        order = getattr(self.signal, "order", None)
        return denial(order.reason) if order is not None and order.state == "DENIED" else ""


def signals() -> dict[str, object]:
    """Return the last decisions, newest first, and the headings of their moves, with two queries."""
    # Layers: this app may not import orders, so it uses the reverse relation by name.
    newest = TradingSignal.objects.select_related("order").prefetch_related("outcomes")
    newest = newest.defer("inputs", "config", "reasoning", "ungrounded").order_by("-created_at")[:SHOWN]
    return {"rows": [Row(signal, _moves(signal)) for signal in newest], "moves": _moves(None)}


def _moves(signal: TradingSignal | None) -> tuple[Move, ...]:
    known = {outcome.after_min: outcome for outcome in signal.outcomes.all()} if signal else {}
    return tuple(Move(after, known.get(after.value)) for after in SignalOutcome.After)
