"""Whether the model may be asked: told by rows, so that no restart forgets it."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction

from sysconfig.models import SystemConfig
from tests.healthcheck.databases import another_session
from tests.strategy.market import MARKET, TICK
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.strategy import budget
from tradingsite.strategy.hold_reasons import NoAdvice
from tradingsite.strategy.models import ModelCall

ROOT = Path(__file__).resolve().parents[2]
MODEL = "gemini-3.5-flash-lite"
HALF_HOUR = timedelta(minutes=30)


def row(at=TICK, **facts) -> ModelCall:
    return ModelCall(market=MARKET, tick=at, started_at=at, model_asked=MODEL, prompt="x", **facts)


def called(at=TICK, kind="", **facts) -> ModelCall:
    call = row(at, ended_at=at + timedelta(seconds=1), error_kind=kind, **facts)
    call.save()
    return call


def refusal(tick=TICK, at=None, limit=100, model=MODEL) -> str:
    try:
        budget.check(model, tick, at or tick, limit)
    except NoAdvice as hold:
        return hold.code
    return ""


@pytest.mark.django_db
def test_the_limit_counts_the_calls_of_the_korean_day():
    midnight = datetime(2026, 11, 22, 15, tzinfo=UTC)
    called(midnight - timedelta(seconds=1))
    called(midnight)

    assert refusal(midnight - timedelta(microseconds=1), limit=1) == "daily_limit"
    assert refusal(midnight + timedelta(hours=23), limit=2) == ""
    assert refusal(midnight + timedelta(hours=23), limit=1) == "daily_limit"
    assert refusal(midnight + timedelta(hours=24), limit=1) == ""
    assert refusal(midnight, limit=0) == "daily_limit"


@pytest.mark.django_db
def test_a_call_that_never_ended_counts_and_says_nothing_about_the_model():
    row().save()
    for number in range(2):
        called(TICK + number * HALF_HOUR, "timeout")
    row(TICK + 2 * HALF_HOUR).save()

    assert refusal(TICK + 3 * HALF_HOUR, limit=4) == "daily_limit"
    assert refusal(TICK + 3 * HALF_HOUR) == ""


@pytest.mark.django_db
def test_three_failures_in_a_row_pause_for_two_intervals_and_each_further_one_for_four():
    for number in range(2):
        called(TICK + number * HALF_HOUR, "timeout")
    assert refusal(TICK + 2 * HALF_HOUR) == ""

    third = called(TICK + 2 * HALF_HOUR, "overloaded").tick
    assert refusal(third) == "breaker_open"
    assert refusal(third + HALF_HOUR) == "breaker_open"
    assert refusal(third + 2 * HALF_HOUR) == ""

    for _ in range(3):
        last = third = called(third + 2 * HALF_HOUR, "overloaded").tick
        assert refusal(last + 3 * HALF_HOUR) == "breaker_open"
        assert refusal(last + 4 * HALF_HOUR) == ""


@pytest.mark.django_db
def test_a_success_or_another_model_starts_anew():
    for number in range(3):
        called(TICK + number * HALF_HOUR, "config")
    now = TICK + 3 * HALF_HOUR
    assert refusal(now) == "breaker_open"
    assert refusal(now, model="gemini-3.8-flash") == ""

    called(now)

    assert refusal(now) == ""


@pytest.mark.django_db
def test_a_429_is_waited_for_as_long_as_it_says_and_a_daily_one_to_the_next_korean_day():
    called(TICK, "quota", not_before=budget.not_before(TICK, 7.5, daily_quota=False))
    assert refusal(TICK, TICK + timedelta(seconds=7)) == "quota_wait"
    assert refusal(TICK, TICK + timedelta(seconds=8)) == ""

    called(TICK, "quota", not_before=budget.not_before(TICK, None, daily_quota=True))
    assert refusal(TICK, TICK.replace(hour=14, minute=59)) == "quota_wait"
    assert refusal(TICK, TICK.replace(hour=15)) == ""
    assert refusal(TICK, model="gemini-3.8-flash") == ""


@pytest.mark.parametrize("stated", [1e300, float("inf")])
def test_no_peer_can_silence_us_for_longer_than_a_day(stated):
    assert budget.not_before(TICK, stated, daily_quota=False) == TICK + timedelta(days=1)


def test_a_429_that_states_nothing_is_not_waited_for():
    assert budget.not_before(TICK, None, daily_quota=False) is None


@pytest.mark.django_db
def test_a_model_that_is_down_is_asked_ever_less_often_and_every_tick_has_its_row(desk, wall):
    desk.sandbox.faults.add(Fault("model_503", times=0))
    codes = []
    for number in range(9):
        tick = TICK + number * HALF_HOUR
        wall.at = tick + timedelta(seconds=2)
        [ticker] = desk.exchange.tickers([MARKET])
        codes.append(desk.decide(tick=tick, price=ticker.trade_price).reason_code)

    down, pause = "overloaded", "breaker_open"
    assert codes == [down, down, down, pause, down, pause, pause, pause, down]
    assert desk.asked() == 5


@pytest.mark.django_db
def test_the_guard_is_asked_before_anything_else_is(desk):
    SystemConfig.objects.filter(key="ai_daily_call_limit").update(value="0")
    asked = len(desk.sandbox.requests)

    signal = desk.decide(price=None)

    assert (signal.reason_code, signal.reasoning) == ("daily_limit", "0 calls today, limit 0")
    assert len(desk.sandbox.requests) == asked


@pytest.mark.django_db(transaction=True)
def test_a_row_is_booked_in_a_transaction_of_its_own():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        budget.reserve_call(MODEL, TICK, TICK, 100, row)

    assert not ModelCall.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_processes_do_not_share_the_last_call_of_the_day():
    together = Barrier(4)
    outcomes: list[str] = []

    def reserve_call():
        together.wait()
        try:
            budget.reserve_call(MODEL, TICK, TICK, 1, row)
            outcomes.append("booked")
        except NoAdvice as hold:
            outcomes.append(hold.code)
        finally:
            connection.close()

    threads = [Thread(target=reserve_call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["booked", "daily_limit", "daily_limit", "daily_limit"]


@pytest.mark.django_db(transaction=True)
def test_a_call_whose_process_is_killed_has_been_counted(noon):
    """The row is there for everybody before the request is: a killed process does not take it along."""
    noon.requests.clear()
    noon.faults.add(Fault("model_silence", seconds=60))
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.strategy.asker", noon.url, connection.settings_dict["NAME"]],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout.readline() == b"asking\n"
        with another_session() as session:
            counted = session.execute("SELECT count(*) FROM model_call").fetchone()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        noon.faults.clear()

    assert counted == (1,)
    [call] = ModelCall.objects.all()
    assert call.ended_at is None
    assert refusal(limit=1) == "daily_limit"
