"""Computes the price chart of one market, with signals and fills, as coordinates for an SVG template.

Horizontal positions are per cent of the width, so that a chart fits every screen; vertical ones are pixels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from itertools import groupby
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from healthcheck.templatetags.moments import moment_text
from tradingsite.amounts import grouped
from tradingsite.korean_day import start_of_day

TOP_PX, PLOT_PX = 16, 208
"""Space above the highest price, and height from there to the lowest."""
LINE_WIDTH = 1000
"""Width of the line's coordinate system, which is stretched to the chart's width."""
_OFFSET_PX = 13
_MARGIN_PCT = (13, 95)
_MAX_TICKS = 6
_STEPS = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360)]
_ROUND = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))

Kind = Literal["BUY", "SELL", "HOLD", "bid", "ask"]
MARK_LABELS: dict[Kind, Promise] = {
    "BUY": _("signal: buy"),
    "SELL": _("signal: sell"),
    "HOLD": _("signal: hold"),
    "bid": _("fill: bought"),
    "ask": _("fill: sold"),
}


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """A price and how long it was current. `part` increases after each gap in the collection."""

    since: datetime
    until: datetime
    price: Decimal
    part: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A signal (BUY, SELL, HOLD) or a fill (bid, ask). Without a price it is drawn at the bottom."""

    kind: Kind
    at: datetime
    price: Decimal | None
    volume: Decimal | None = None
    link: str = ""

    @property
    def word(self) -> str:
        return str(MARK_LABELS[self.kind])

    @property
    def is_fill(self) -> bool:
        return self.kind in ("bid", "ask")


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """A mark and its position: a BUY below its price, a SELL above it, so that both can be seen."""

    mark: Mark
    x_pct: str
    y_px: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line: a vertical one has `at`, a horizontal one `text`."""

    place: str
    at: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    market: str
    start: datetime
    end: datetime
    path: str
    last: Decimal
    change_pct: Decimal
    prices: tuple[Tick, ...]
    times: tuple[Tick, ...]
    marks: tuple[PlacedMark, ...]

    @property
    def label(self) -> str:
        """A summary of the chart in the active language, for screen readers."""
        return gettext(
            "%(market)s: last price %(price)s, %(change)s %% since %(since)s UTC; "
            "signals: %(signals)s, fills: %(fills)s"
        ) % {
            "market": self.market,
            "price": self.shown_last,
            "change": self.shown_change,
            "since": moment_text(self.start, "dated minutes"),
            "signals": self.signals,
            "fills": self.fills,
        }

    @property
    def newest_first(self) -> list[PlacedMark]:
        return sorted(self.marks, key=lambda placed: placed.mark.at, reverse=True)

    @property
    def shown_last(self) -> str:
        return grouped(self.last)

    @property
    def shown_change(self) -> str:
        return f"{self.change_pct:+.2f}"

    @property
    def signals(self) -> int:
        return len(self.marks) - self.fills

    @property
    def fills(self) -> int:
        return sum(placed.mark.is_fill for placed in self.marks)


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime
    low: Decimal
    high: Decimal

    def x_pct(self, at: datetime) -> float:
        return 100 * ((at - self.start) / (self.end - self.start))

    def y_px(self, price: Decimal) -> float:
        # A constant price is drawn in the middle.
        share = (price - self.low) / (self.high - self.low) if self.high > self.low else Decimal("0.5")
        return TOP_PX + PLOT_PX * (1 - float(share))


def chart(market: str, spans: Sequence[PriceSpan], marks: Iterable[Mark], at: datetime) -> Chart | None:
    """Return the chart of `spans` (oldest first) and `marks` until `at`; None without a price."""
    if not spans:
        return None
    start, end = spans[0].since, max(at, spans[0].since + timedelta(minutes=1))
    visible = [mark for mark in marks if start <= mark.at <= end]
    prices = [span.price for span in spans] + [mark.price for mark in visible if mark.is_fill and mark.price]
    scale = _Scale(start, end, min(prices), max(prices))
    first, last = spans[0].price, spans[-1].price
    return Chart(
        market=market,
        start=start,
        end=end,
        path=_path(spans, scale),
        last=last,
        change_pct=(last - first) * 100 / first,
        prices=tuple(_price_ticks(scale)),
        times=tuple(_time_ticks(scale)),
        marks=tuple(_placed(mark, scale) for mark in visible),
    )


def _path(spans: Sequence[PriceSpan], scale: _Scale) -> str:
    drawn = []
    for _number, part in groupby(spans, key=lambda span: span.part):
        points = [
            f"{scale.x_pct(at) * LINE_WIDTH / 100:.1f} {scale.y_px(span.price):.1f}"
            for span in part
            for at in (span.since, span.until)
        ]
        drawn.append("M" + "L".join(points))
    return "".join(drawn)


def _placed(mark: Mark, scale: _Scale) -> PlacedMark:
    y = TOP_PX + PLOT_PX if mark.price is None else scale.y_px(mark.price)
    y = min(max(y, TOP_PX), TOP_PX + PLOT_PX)  # a price outside the chart is marked at its edge
    y += {"BUY": _OFFSET_PX, "SELL": -_OFFSET_PX}.get(mark.kind, 0)
    return PlacedMark(mark, f"{scale.x_pct(mark.at):.2f}", f"{y:.1f}")


def _price_ticks(scale: _Scale) -> Iterable[Tick]:
    step = _round_step((scale.high - scale.low) / 3)
    if not step:
        yield Tick(f"{scale.y_px(scale.low):.1f}", text=grouped(scale.low))
        return
    price = (scale.low / step).to_integral_value(ROUND_CEILING) * step
    while price <= scale.high:
        yield Tick(f"{scale.y_px(price):.1f}", text=grouped(price))
        price += step


def _round_step(minimum: Decimal) -> Decimal:
    if not minimum:
        return minimum
    power = Decimal(1).scaleb(minimum.adjusted())
    return next(power * number for number in _ROUND if power * number >= minimum)


def _time_ticks(scale: _Scale) -> Iterable[Tick]:
    span = scale.end - scale.start
    step = next((step for step in _STEPS if span <= step * _MAX_TICKS), span / _MAX_TICKS)
    at = start_of_day(scale.start)
    at += step * -((at - scale.start) // step)
    while at <= scale.end:
        x_pct = scale.x_pct(at)
        if _MARGIN_PCT[0] <= x_pct <= _MARGIN_PCT[1]:
            yield Tick(f"{x_pct:.2f}", at=at)
        at += step
