from datetime import UTC, datetime, timedelta

import pytest

from tests.jobs.timetables import nothing
from tradingsite.jobs import tasks
from tradingsite.jobs.timetable import SCHEDULE, ScheduledJob, registered

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)


def job(seconds, **facts):
    return ScheduledJob("a", timedelta(seconds=seconds), nothing, **facts)


def test_registered_jobs_have_their_intervals():
    assert {name: job.every.total_seconds() for name, job in registered().items()} == {
        "collect_market_data": 10,
        "generate_trading_signal": 30 * 60,
        "check_volatility": 30,
        "sync_pending_orders": 5 * 60,
        "cleanup_old_data": 24 * 3600,
    }


def test_every_job_has_its_task():
    assert [job.name for job in SCHEDULE if not callable(getattr(tasks, job.name, None))] == []


def test_no_two_jobs_start_in_the_same_second():
    ticks = [{job.trigger.floor(NOON) + k * job.every for k in range(1, 25)} for job in SCHEDULE]

    assert len(set.union(*ticks)) == sum(map(len, ticks))


def test_clean_up_runs_in_the_korean_night():
    tick = registered()["cleanup_old_data"].trigger.get_next_fire_time(None, NOON)

    assert (tick + timedelta(hours=9)).time().isoformat() == "04:10:09"


@pytest.mark.parametrize("phase_s", [-1, 10, 11])
def test_phase_beyond_the_interval_is_refused(phase_s):
    with pytest.raises(ValueError, match="a: phase_s"):
        job(10, phase_s=phase_s)


@pytest.mark.parametrize(("every_s", "slack_s"), [(1, 5), (10, 5), (30, 15), (300, 60), (86_400, 60)])
def test_job_is_late_after_half_an_interval_within_limits(every_s, slack_s):
    on_time = NOON + timedelta(seconds=every_s + slack_s)

    assert job(every_s).late_by(NOON, on_time) is None
    assert job(every_s).late_by(NOON, on_time + timedelta(seconds=1)) == timedelta(seconds=slack_s + 1)
