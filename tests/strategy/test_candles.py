"""The half hours before a decision: complete, sane, in order, or no decision."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.clients.peer import Reply
from tests.sandbox.limits import GENEROUS
from tests.strategy.market import HALF_HOUR, MARKET, TICK, candle, candles, patient_client, raw_candle
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy.candles import Series, check_price, closed_candles, series
from tradingsite.strategy.hold_reasons import NoAdvice


def unfit(price) -> Reply:
    """Return a candle whose low is `price`."""
    return Reply(200, json.dumps([raw_candle(0)]).replace('"low_price": 998', f'"low_price": {price}'))


def refusal(found, market=MARKET) -> NoAdvice:
    with pytest.raises(NoAdvice) as caught:
        series(found, market, TICK)
    return caught.value


def test_last_200_closed_half_hours_take_one_request():
    now = TICK + timedelta(minutes=7)
    with SandboxServer(clock=now.timestamp, options=Options(limits=GENEROUS)) as sandbox:
        found = closed_candles(patient_client(sandbox.url), MARKET, now)
        requests = [each.request for each in sandbox.requests]

    assert found.end == TICK
    assert len(found.bars) == 200
    assert [bar.start for bar in found.bars] == [TICK - n * HALF_HOUR for n in range(200, 0, -1)]
    assert [request.path for request in requests] == ["/v1/candles/minutes/30"]
    assert requests[0].params["to"] == "2026-11-22T12:00:00Z"


def test_missing_half_hours_are_filled_with_the_last_close_and_marked():
    found = series(candles(without=[0, 3, 4]), MARKET, TICK)

    gaps = {number: found.bars[-1 - number] for number in (0, 3, 4)}
    assert all(bar.filled and bar.volume == 0 for bar in gaps.values())
    assert {bar.close for bar in (gaps[3], gaps[4])} == {Decimal(1006)}
    assert {gaps[3].open, gaps[3].high, gaps[3].low} == {Decimal(1006)}
    assert gaps[0].close == candle(1).trade_price
    assert found.filled == 3


def test_gap_at_the_start_is_filled_from_the_candle_before():
    found = series(candles(without=[198, 199]), MARKET, TICK)

    assert len(found.bars) == 200
    assert [bar.filled for bar in found.bars[:3]] == [True, True, False]
    assert found.bars[0].close == candle(200).trade_price


def test_over_a_fifth_of_missing_half_hours_is_refused():
    assert series(candles(without=range(50, 90)), MARKET, TICK).filled == 40

    refused = refusal(candles(without=range(50, 91)))

    assert (refused.code, refused.text) == (
        "missing_candles",
        "41 of 200 half hours have no candle, limit 20 %",
    )


def test_series_needs_at_least_160_half_hours():
    assert len(series(candles(160), MARKET, TICK).bars) == 160
    assert refusal(candles(159)).code == "missing_candles"
    assert refusal([]).code == "missing_candles"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"market": "KRW-ETH"}, "is of 'KRW-ETH'"),
        ({"unit": 60}, "60 min"),
        ({"candle_date_time_utc": "2026-11-22T12:00:00"}, "is not a half hour that has closed"),
        ({"candle_date_time_utc": "2026-11-22T11:25:00"}, "is not a half hour that has closed"),
        ({"high_price": Decimal("1000.5")}, "opens or closes outside its own range"),
        ({"low_price": Decimal("1000.5")}, "opens or closes outside its own range"),
    ],
    ids=["market", "unit", "open", "not aligned", "high", "low"],
)
def test_contradictory_candle_is_refused(changes, words):
    refused = refusal([candle(0, **changes), *candles()[1:]])

    assert refused.code == "insane_input"
    assert words in refused.text


def test_candles_out_of_order_or_repeated_are_refused():
    newest, second, *rest = candles()

    assert refusal([second, newest, *rest]).code == "insane_input"
    assert refusal([newest, second, second, *rest]).code == "insane_input"


def test_price_far_from_the_last_close_is_refused():
    found = series(candles(), MARKET, TICK)  # closed at 1001

    check_price(found, Decimal("1201.2"))
    check_price(found, Decimal("800.8"))
    for price in ("1201.3", "800.7", "1", "1000000"):
        with pytest.raises(NoAdvice) as caught:
            check_price(found, Decimal(price))
        assert caught.value.code == "insane_input"


@pytest.mark.parametrize(
    "reply",
    [
        *map(Reply, (503, 429, 404, 400)),
        Reply(200, "<html>"),
        Reply(200, '[{"market": "X"}]'),
        *map(unfit, ("0", "-1", "1e400", "NaN", "null")),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:20]}",
)
def test_failed_candle_request_is_refused_as_no_candles(client_with_replies, reply):
    client = client_with_replies(reply)

    with pytest.raises(NoAdvice) as caught:
        closed_candles(client, MARKET, TICK)

    assert caught.value.code == "no_candles"


def test_empty_series_has_no_filled_bars():
    assert Series((), datetime(2026, 1, 1, tzinfo=UTC)).filled == 0
