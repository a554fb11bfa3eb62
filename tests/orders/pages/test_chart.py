"""A market's chart: plain values in, geometry out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils.translation import override

from tradingsite.orders.pages import chart as drawing
from tradingsite.orders.pages.chart import PLOT_PX, TOP_PX, Kind, Mark, PriceSpan

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def spans(*prices, part=0, first=NOON, each=MINUTE):
    return [
        PriceSpan(first + each * number, first + each * (number + 1), Decimal(price), part)
        for number, price in enumerate(prices)
    ]


def chart(market, spans, marks):
    """Draw until the last price."""
    return drawing.chart(market, spans, marks, spans[-1].until if spans else NOON)


def test_no_price_makes_no_chart():
    assert chart("KRW-BTC", [], []) is None


def test_line_spans_the_width_and_the_price_range():
    drawn = chart("KRW-BTC", spans(100, 110), [])

    assert (
        drawn.path
        == f"M0.0 {TOP_PX + PLOT_PX}.0L500.0 {TOP_PX + PLOT_PX}.0L500.0 {TOP_PX}.0L1000.0 {TOP_PX}.0"
    )


def test_gap_in_the_polls_breaks_the_line():
    drawn = chart("KRW-BTC", spans(100) + spans(110, part=1, first=NOON + 9 * MINUTE), [])

    assert drawn.path.count("M") == 2


def test_constant_price_is_drawn_in_the_middle():
    drawn = chart("KRW-BTC", spans(100, 100), [])

    assert f" {TOP_PX + PLOT_PX / 2}" in drawn.path
    assert [tick.text for tick in drawn.prices] == ["100"]
    assert drawn.shown_change == "+0.00"


def test_chart_ends_now_even_if_the_last_price_is_old():
    drawn = drawing.chart("KRW-BTC", spans(100), [Mark("HOLD", NOON + 2 * MINUTE, None)], NOON + 4 * MINUTE)

    assert drawn.path.endswith("L250.0 120.0")
    assert drawn.marks[0].x_pct == "50.00"


def test_single_price_makes_a_chart():
    drawn = chart("KRW-BTC", [PriceSpan(NOON, NOON, Decimal(100))], [Mark("HOLD", NOON, Decimal(100))])

    assert drawn.end - drawn.start == MINUTE
    assert drawn.marks[0].x_pct == "0.00"


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (100, 110, ["100", "105", "110"]),
        (142_950_000, 143_210_000, ["143,000,000", "143,100,000", "143,200,000"]),
        ("0.00041", "0.00052", ["0.00045", "0.0005"]),
    ],
)
def test_price_lines_are_round_and_within_the_chart(low, high, texts):
    assert [tick.text for tick in chart("KRW-X", spans(low, high), []).prices] == texts


def test_day_chart_has_a_time_line_every_four_hours_in_korean_time():
    drawn = chart("KRW-BTC", spans(1, 2, each=timedelta(hours=12)), [])

    assert [f"{tick.at:%H:%M}" for tick in drawn.times] == ["04:00", "08:00", "12:00", "16:00"]
    assert drawn.times[0].at.utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("minutes", [2, 7, 45, 200, 1000, 1440, 4000])
def test_chart_has_at_most_six_time_lines(minutes):
    drawn = chart("KRW-BTC", spans(1, 2, each=MINUTE * minutes / 2), [])

    assert len(drawn.times) <= 6


def test_buy_is_drawn_below_sell_above_and_fills_at_the_price():
    kinds: tuple[Kind, ...] = ("BUY", "HOLD", "bid", "ask", "SELL")
    drawn = chart("KRW-BTC", spans(100, 110), [Mark(kind, NOON, Decimal(105)) for kind in kinds])

    buy, *level, sell = (float(placed.y_px) for placed in drawn.marks)
    assert buy > level[0] > sell
    assert len(set(level)) == 1


def test_signal_without_a_visible_price_is_marked_at_the_edge():
    marks = [Mark("HOLD", NOON, None), Mark("HOLD", NOON, Decimal(7)), Mark("HOLD", NOON, Decimal(9000))]
    drawn = chart("KRW-BTC", spans(100, 110), marks)

    assert [float(placed.y_px) for placed in drawn.marks] == [TOP_PX + PLOT_PX, TOP_PX + PLOT_PX, TOP_PX]


def test_fill_outside_the_price_range_is_drawn_at_the_edge():
    drawn = chart("KRW-BTC", spans(100, 110), [Mark("ask", NOON, Decimal(90))])

    assert float(drawn.marks[0].y_px) == TOP_PX + PLOT_PX


def test_marks_before_the_first_price_are_omitted():
    assert chart("KRW-BTC", spans(1, 2), [Mark("BUY", NOON - MINUTE, Decimal(1))]).marks == ()


def test_chart_label_summarizes_the_chart():
    marks = [Mark("BUY", NOON, Decimal(100)), Mark("bid", NOON, Decimal(100)), Mark("HOLD", NOON, None)]

    with override("en"):
        assert chart("KRW-BTC", spans(100, "110.50"), marks).label == (
            "KRW-BTC: last price 110.5, +10.50 % since 2026-01-05 12:00 UTC; signals: 2, fills: 1"
        )
