"""The same jobs in the plain set-up of django-apscheduler.

`python -m benchmarks.scheduler.plain TIMETABLE`
"""

import sys

import django

django.setup()

from apscheduler.schedulers.blocking import BlockingScheduler  # noqa: E402 - models need Django first
from django_apscheduler.jobstores import DjangoJobStore  # noqa: E402 - as above

from benchmarks.scheduler import jobs  # noqa: E402 - as above

if __name__ == "__main__":
    scheduler = BlockingScheduler(timezone="UTC")
    scheduler.add_jobstore(DjangoJobStore(), "default")
    for job in getattr(jobs, sys.argv[1]):
        scheduler.add_job(
            jobs.note,
            "interval",
            seconds=job.every.total_seconds(),
            args=[job.name],
            id=job.name,
            max_instances=1,
        )
    scheduler.start()
