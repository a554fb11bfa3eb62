"""A runner of one job in the test's own process, with a leader's row in the database."""

from datetime import timedelta

from django_apscheduler.models import DjangoJob

from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.scheduler.runner import Runner
from tradingsite.jobs.timetable import ScheduledJob

COLLECT = "collect_market_data"


def lead():
    """Begin a term; return its epoch."""
    return SchedulerHeartbeat.objects.take_over("test", 1).epoch


def job_of(body, *, name=COLLECT, every=timedelta(seconds=10), **facts):
    """Return a job that does `body`, with its rows, known by a registered name."""
    JobState.objects.register([name])
    DjangoJob.objects.get_or_create(id=name, defaults={"job_state": b""})
    return ScheduledJob(name, every, body, **facts)


def runner_of(*jobs, may_start=lambda: True, epoch=None, **given):
    """Return a runner of `jobs` that leads, in the newest term or in that of `epoch`."""
    term = epoch or lead()
    return Runner({job.name: job for job in jobs}, may_start, epoch=lambda: term, **given)


def state(name=COLLECT):
    return JobState.objects.get(job_name=name)


def nothing(_tick):
    return {}


def raises(error):
    def body(_tick):
        raise error

    return body
