"""Outcomes of signals: the price in force at exactly that moment, or unknown."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.clients.peer import Reply
from tests.sandbox.limits import GENEROUS
from tests.strategy.market import MARKET, TICK, patient_client, raw_candle
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy import outcomes
from tradingsite.strategy.models import SignalOutcome, TradingSignal

pytestmark = pytest.mark.django_db

AS_OF = TICK + timedelta(seconds=41)
MINUTE = timedelta(minutes=1)
NOTHING = {"outcomes": 0, "outcomes_unknown": 0, "outcomes_failed": 0}


def signal(as_of=AS_OF, market=MARKET, price: Decimal | None = Decimal(1000), **facts) -> TradingSignal:
    return TradingSignal.objects.create(
        market=market, tick=as_of, as_of=as_of, price=price, **{"decision": "HOLD", **facts}
    )


def price_at(moment) -> Decimal:
    """Return the last trade's price at a moment, from another sandbox."""
    with SandboxServer(clock=moment.timestamp, options=Options(limits=GENEROUS)) as sandbox:
        [ticker] = patient_client(sandbox.url).tickers([MARKET])
        return ticker.trade_price


def minute_candle(start, price=1010) -> Reply:
    prices = dict.fromkeys(("opening_price", "high_price", "low_price", "trade_price"), price)
    times = {"candle_date_time_utc": f"{start:%Y-%m-%dT%H:%M:%S}", "unit": 1}
    return Reply(200, json.dumps([{**raw_candle(0), **prices, **times}]))


def test_each_span_is_measured_once_at_the_price_of_its_moment(desk, sandbox_clock):
    before = price_at(AS_OF)
    made = signal(price=before)
    for after_min in (30, 240, 1440):
        moment = AS_OF + after_min * MINUTE
        sandbox_clock.at = moment + MINUTE
        assert outcomes.measure(desk.exchange, sandbox_clock.at) == NOTHING | {"outcomes": 1}
        assert outcomes.measure(desk.exchange, sandbox_clock.at) == NOTHING

        outcome = SignalOutcome.objects.get(signal=made, after_min=after_min)
        begun = moment.replace(second=0)
        assert outcome.price == price_at(begun - timedelta(milliseconds=1))
        assert outcome.move_pct == round((outcome.price - before) * 100 / before, 4)
        assert outcome.measured_at == sandbox_clock.at


def test_outcome_is_due_a_minute_after_its_moment(client_with_replies):
    signal()
    due = AS_OF + 31 * MINUTE
    client = client_with_replies(minute_candle(TICK + 29 * MINUTE))

    assert outcomes.measure(client, due - timedelta(microseconds=1)) == NOTHING
    assert outcomes.measure(client, due) == NOTHING | {"outcomes": 1}


def test_outcomes_missed_in_a_downtime_are_measured_later(desk, sandbox_clock):
    for hours in range(10):
        signal(TICK + timedelta(hours=hours))
    sandbox_clock.at = TICK + timedelta(days=3)

    assert outcomes.measure(desk.exchange, sandbox_clock.at) == NOTHING | {"outcomes": 30}
    assert not SignalOutcome.objects.filter(price=None).exists()


def test_round_is_limited_in_requests_and_time(desk, sandbox_clock, fake_clock):
    for number in range(outcomes.MAX_PER_MARKET + 5):
        signal(TICK + number * MINUTE)
    sandbox_clock.at = TICK + 3 * 60 * MINUTE

    late = outcomes.measure(desk.exchange, sandbox_clock.at, within_s=0, clock=fake_clock.clock)
    first = outcomes.measure(desk.exchange, sandbox_clock.at)
    second = outcomes.measure(desk.exchange, sandbox_clock.at)

    assert (late["outcomes"], first["outcomes"], second["outcomes"]) == (0, outcomes.MAX_PER_MARKET, 5)


def test_signal_older_than_30_days_is_not_measured(client_with_replies):
    signal(AS_OF - timedelta(days=31))

    assert outcomes.measure(client_with_replies(Reply(500)), AS_OF) == NOTHING


def test_signal_without_a_price_has_no_outcome(client_with_replies):
    signal(price=None)

    assert outcomes.measure(client_with_replies(Reply(500)), AS_OF + timedelta(days=2)) == NOTHING


@pytest.mark.parametrize(
    ("start", "known"),
    [
        (TICK + 29 * MINUTE, True),  # the minute before
        (TICK - 30 * MINUTE, True),  # no trade for an hour
        (TICK - 31 * MINUTE, False),  # no trade for longer
        (TICK + 30 * MINUTE, False),  # a minute that was not requested
    ],
    ids=["before", "an hour old", "older", "running"],
)
def test_minute_without_a_trade_takes_the_last_price_of_up_to_an_hour(client_with_replies, start, known):
    made = signal()

    counts = outcomes.measure(client_with_replies(minute_candle(start)), AS_OF + 31 * MINUTE)

    outcome = made.outcomes.get()
    assert counts == NOTHING | {"outcomes": 1, "outcomes_unknown": not known}
    assert (outcome.price, outcome.move_pct) == ((1010, 1) if known else (None, None))


@pytest.mark.parametrize("reply", [Reply(404), Reply(200, "[]")], ids=["delisted", "no candle"])
def test_unavailable_outcome_is_stored_as_unknown(client_with_replies, reply):
    made = signal()

    assert outcomes.measure(client_with_replies(reply), AS_OF + 31 * MINUTE)["outcomes_unknown"] == 1
    assert made.outcomes.get().price is None
    assert outcomes.measure(client_with_replies(reply), AS_OF + 31 * MINUTE) == NOTHING


@pytest.mark.parametrize("reply", [Reply(503), Reply(400), Reply(200, "<html>")], ids=["5xx", "4xx", "HTML"])
def test_failed_request_is_repeated_in_the_next_round(client_with_replies, reply):
    made = signal()

    failed = outcomes.measure(client_with_replies(reply), AS_OF + 31 * MINUTE)
    again = outcomes.measure(client_with_replies(minute_candle(TICK + 29 * MINUTE)), AS_OF + 36 * MINUTE)

    assert failed == NOTHING | {"outcomes_failed": 1}
    assert again == NOTHING | {"outcomes": 1}
    assert made.outcomes.get().price == 1010


def test_failing_market_does_not_block_the_others(desk, sandbox_clock):
    signal(market="KRW-BTC")
    signal(market="KRW-ETH")
    sandbox_clock.at = AS_OF + 31 * MINUTE
    desk.sandbox.faults.add(Fault("500", path="/v1/candles/*"))

    counts = outcomes.measure(desk.exchange, sandbox_clock.at)

    assert counts == {"outcomes": 1, "outcomes_unknown": 0, "outcomes_failed": 1}
    assert SignalOutcome.objects.get().signal.market == "KRW-ETH"
