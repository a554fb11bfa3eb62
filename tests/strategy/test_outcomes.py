"""What became of a signal: the price in force at exactly that moment, or that nobody knows."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.clients.peer import Reply
from tests.sandbox.limits import GENEROUS
from tests.strategy.market import MARKET, TICK, raw_candle
from tradingsite.clients.upbit.client import UpbitClient
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
    """Return the last trade's price at a moment, as another sandbox tells it."""
    with SandboxServer(clock=moment.timestamp, options=Options(limits=GENEROUS)) as sandbox:
        [ticker] = UpbitClient(sandbox.url, retries=0).tickers([MARKET])
        return ticker.trade_price


@pytest.fixture
def told(peer, ticking):
    def told(*replies):
        peer.script(*replies)
        return UpbitClient(peer.url, retries=0, clock=ticking.clock)

    return told


def minute_candle(start, price=1010) -> Reply:
    prices = dict.fromkeys(("opening_price", "high_price", "low_price", "trade_price"), price)
    times = {"candle_date_time_utc": f"{start:%Y-%m-%dT%H:%M:%S}", "unit": 1}
    return Reply(200, json.dumps([{**raw_candle(0), **prices, **times}]))


def test_each_span_is_measured_once_from_the_price_in_force_at_its_moment(desk, wall):
    before = price_at(AS_OF)
    made = signal(price=before)
    for after_min in (30, 240, 1440):
        moment = AS_OF + after_min * MINUTE
        wall.at = moment + MINUTE
        assert outcomes.measure(desk.exchange, wall.at) == NOTHING | {"outcomes": 1}
        assert outcomes.measure(desk.exchange, wall.at) == NOTHING

        outcome = SignalOutcome.objects.get(signal=made, after_min=after_min)
        begun = moment.replace(second=0)
        assert outcome.price == price_at(begun - timedelta(milliseconds=1))
        assert outcome.move_pct == round((outcome.price - before) * 100 / before, 4)
        assert outcome.measured_at == wall.at


def test_it_is_due_a_minute_after_its_moment_and_not_before(told):
    signal()
    due = AS_OF + 31 * MINUTE
    client = told(minute_candle(TICK + 29 * MINUTE))

    assert outcomes.measure(client, due - timedelta(microseconds=1)) == NOTHING
    assert outcomes.measure(client, due) == NOTHING | {"outcomes": 1}


def test_after_a_downtime_all_of_them_are_made_up_for(desk, wall):
    for hours in range(10):
        signal(TICK + timedelta(hours=hours))
    wall.at = TICK + timedelta(days=3)

    assert outcomes.measure(desk.exchange, wall.at) == NOTHING | {"outcomes": 30}
    assert not SignalOutcome.objects.filter(price=None).exists()


def test_a_round_is_bounded_in_questions_and_in_time(desk, wall, ticking):
    for number in range(outcomes.MAX_PER_MARKET + 5):
        signal(TICK + number * MINUTE)
    wall.at = TICK + 3 * 60 * MINUTE

    late = outcomes.measure(desk.exchange, wall.at, within_s=0, clock=ticking.clock)
    first = outcomes.measure(desk.exchange, wall.at)
    second = outcomes.measure(desk.exchange, wall.at)

    assert (late["outcomes"], first["outcomes"], second["outcomes"]) == (0, outcomes.MAX_PER_MARKET, 5)


def test_what_is_older_than_30_days_stays_unmeasured(told):
    signal(AS_OF - timedelta(days=31))

    assert outcomes.measure(told(Reply(500)), AS_OF) == NOTHING


def test_a_signal_without_a_price_has_no_outcome(told):
    signal(price=None)

    assert outcomes.measure(told(Reply(500)), AS_OF + timedelta(days=2)) == NOTHING


@pytest.mark.parametrize(
    ("start", "known"),
    [
        (TICK + 29 * MINUTE, True),  # the minute before
        (TICK - 30 * MINUTE, True),  # nobody traded for an hour
        (TICK - 31 * MINUTE, False),  # nor for longer
        (TICK + 30 * MINUTE, False),  # a minute that was not asked for
    ],
    ids=["before", "an hour old", "older", "running"],
)
def test_a_minute_without_a_trade_takes_the_price_before_it_up_to_an_hour(told, start, known):
    made = signal()

    counts = outcomes.measure(told(minute_candle(start)), AS_OF + 31 * MINUTE)

    outcome = made.outcomes.get()
    assert counts == NOTHING | {"outcomes": 1, "outcomes_unknown": not known}
    assert (outcome.price, outcome.move_pct) == ((1010, 1) if known else (None, None))


@pytest.mark.parametrize("reply", [Reply(404), Reply(200, "[]")], ids=["delisted", "no candle"])
def test_what_nobody_can_know_any_more_is_written_as_unknown(told, reply):
    made = signal()

    assert outcomes.measure(told(reply), AS_OF + 31 * MINUTE)["outcomes_unknown"] == 1
    assert made.outcomes.get().price is None
    assert outcomes.measure(told(reply), AS_OF + 31 * MINUTE) == NOTHING


@pytest.mark.parametrize("reply", [Reply(503), Reply(400), Reply(200, "<html>")], ids=["5xx", "4xx", "HTML"])
def test_a_question_that_fails_is_asked_again_in_the_next_round(told, reply):
    made = signal()

    failed = outcomes.measure(told(reply), AS_OF + 31 * MINUTE)
    again = outcomes.measure(told(minute_candle(TICK + 29 * MINUTE)), AS_OF + 36 * MINUTE)

    assert failed == NOTHING | {"outcomes_failed": 1}
    assert again == NOTHING | {"outcomes": 1}
    assert made.outcomes.get().price == 1010


def test_a_market_that_fails_does_not_hold_up_the_others(desk, wall):
    signal(market="KRW-BTC")
    signal(market="KRW-ETH")
    wall.at = AS_OF + 31 * MINUTE
    desk.sandbox.faults.add(Fault("500", path="/v1/candles/*"))

    counts = outcomes.measure(desk.exchange, wall.at)

    assert counts == {"outcomes": 1, "outcomes_unknown": 0, "outcomes_failed": 1}
    assert SignalOutcome.objects.get().signal.market == "KRW-ETH"
