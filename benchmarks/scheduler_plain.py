"""The same jobs in the plain set-up of django-apscheduler.

`python -m benchmarks.scheduler_plain TIMETABLE`
"""

import sys

import django

django.setup()

from apscheduler.schedulers.blocking import BlockingScheduler  # noqa: E402 - models need Django first
from django_apscheduler.jobstores import DjangoJobStore  # noqa: E402 - as above

from benchmarks import scheduler_jobs  # noqa: E402 - as above

if __name__ == "__main__":
    scheduler = BlockingScheduler(timezone="UTC")
    scheduler.add_jobstore(DjangoJobStore(), "default")
    for job in getattr(scheduler_jobs, sys.argv[1]):
        scheduler.add_job(
            scheduler_jobs.note,
            "interval",
            seconds=job.every.total_seconds(),
            args=[job.name],
            id=job.name,
            max_instances=1,
        )
    scheduler.start()
