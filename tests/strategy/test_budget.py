"""Whether the model may be called: decided from stored calls, so that no restart forgets it."""

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
def test_daily_limit_counts_calls_of_the_korean_day():
    midnight = datetime(2026, 11, 22, 15, tzinfo=UTC)
    called(midnight - timedelta(seconds=1))
    called(midnight)

    assert refusal(midnight - timedelta(microseconds=1), limit=1) == "daily_limit"
    assert refusal(midnight + timedelta(hours=23), limit=2) == ""
    assert refusal(midnight + timedelta(hours=23), limit=1) == "daily_limit"
    assert refusal(midnight + timedelta(hours=24), limit=1) == ""
    assert refusal(midnight, limit=0) == "daily_limit"


@pytest.mark.django_db
def test_unfinished_call_counts_against_the_limit_but_not_as_a_failure():
    row().save()
    for number in range(2):
        called(TICK + number * HALF_HOUR, "timeout")
    row(TICK + 2 * HALF_HOUR).save()

    assert refusal(TICK + 3 * HALF_HOUR, limit=4) == "daily_limit"
    assert refusal(TICK + 3 * HALF_HOUR) == ""


@pytest.mark.django_db
def test_third_failure_in_a_row_pauses_two_intervals_and_later_ones_four():
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
def test_success_or_another_model_resets_the_failures():
    for number in range(3):
        called(TICK + number * HALF_HOUR, "config")
    now = TICK + 3 * HALF_HOUR
    assert refusal(now) == "breaker_open"
    assert refusal(now, model="gemini-3.8-flash") == ""

    called(now)

    assert refusal(now) == ""


@pytest.mark.django_db
def test_quota_wait_lasts_as_stated_and_a_daily_quota_until_the_next_korean_day():
    called(TICK, "quota", not_before=budget.not_before(TICK, 7.5, daily_quota=False))
    assert refusal(TICK, TICK + timedelta(seconds=7)) == "quota_wait"
    assert refusal(TICK, TICK + timedelta(seconds=8)) == ""

    called(TICK, "quota", not_before=budget.not_before(TICK, None, daily_quota=True))
    assert refusal(TICK, TICK.replace(hour=14, minute=59)) == "quota_wait"
    assert refusal(TICK, TICK.replace(hour=15)) == ""
    assert refusal(TICK, model="gemini-3.8-flash") == ""


@pytest.mark.parametrize("stated", [1e300, float("inf")])
def test_stated_quota_wait_is_capped_at_a_day(stated):
    assert budget.not_before(TICK, stated, daily_quota=False) == TICK + timedelta(days=1)


def test_quota_error_without_a_delay_sets_no_wait():
    assert budget.not_before(TICK, None, daily_quota=False) is None


@pytest.mark.django_db
def test_failing_model_is_called_less_often_and_each_tick_has_a_signal(desk, sandbox_clock):
    desk.sandbox.faults.add(Fault("model_503", times=0))
    codes = []
    for number in range(9):
        tick = TICK + number * HALF_HOUR
        sandbox_clock.at = tick + timedelta(seconds=2)
        [ticker] = desk.exchange.tickers([MARKET])
        codes.append(desk.decide(tick=tick, price=ticker.trade_price).reason_code)

    down, pause = "overloaded", "breaker_open"
    assert codes == [down, down, down, pause, down, pause, pause, pause, down]
    assert desk.model_requests() == 5


@pytest.mark.django_db
def test_exhausted_budget_sends_no_request(desk):
    SystemConfig.objects.filter(key="ai_daily_call_limit").update(value="0")
    before = len(desk.sandbox.requests)

    signal = desk.decide(price=None)

    assert (signal.reason_code, signal.reasoning) == ("daily_limit", "0 calls today, limit 0")
    assert len(desk.sandbox.requests) == before


@pytest.mark.django_db(transaction=True)
def test_call_is_booked_in_its_own_transaction():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        budget.reserve_call(MODEL, TICK, TICK, 100, row)

    assert not ModelCall.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_bookings_cannot_exceed_the_daily_limit():
    barrier = Barrier(4)
    outcomes: list[str] = []

    def book():
        barrier.wait()
        try:
            budget.reserve_call(MODEL, TICK, TICK, 1, row)
            outcomes.append("booked")
        except NoAdvice as hold:
            outcomes.append(hold.code)
        finally:
            connection.close()

    threads = [Thread(target=book) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["booked", "daily_limit", "daily_limit", "daily_limit"]


@pytest.mark.django_db(transaction=True)
def test_call_of_a_killed_process_is_counted(noon_sandbox):
    noon_sandbox.requests.clear()
    noon_sandbox.faults.add(Fault("model_silence", seconds=3600))
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.strategy.decider", noon_sandbox.url, connection.settings_dict["NAME"]],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout.readline() == b"calling\n"
        with another_session() as session:
            counted = session.execute("SELECT count(*) FROM model_call").fetchone()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        noon_sandbox.faults.clear()

    assert counted == (1,)
    [call] = ModelCall.objects.all()
    assert call.ended_at is None
    assert refusal(limit=1) == "daily_limit"
