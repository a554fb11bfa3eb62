"""The plain set-up of django-apscheduler, as its documentation shows it, with the same bodies.

`python -m tests.chaos_scheduler.plain`
"""

from django.utils import timezone


def main() -> None:
    import django

    django.setup()
    from apscheduler.schedulers.blocking import BlockingScheduler
    from django_apscheduler.jobstores import DjangoJobStore

    from tests.chaos_scheduler.timetable import SCHEDULE

    scheduler = BlockingScheduler(timezone="UTC")
    scheduler.add_jobstore(DjangoJobStore(), "default")
    for job in SCHEDULE:
        scheduler.add_job(
            run,
            "interval",
            seconds=job.every.total_seconds(),
            args=[job.name],
            id=job.name,
            max_instances=1,
            replace_existing=True,
        )
    scheduler.start()


def run(name: str) -> None:
    """Run a body; a plain job does not know its tick."""
    from django.db import close_old_connections

    from tests.chaos_scheduler.timetable import SCHEDULE

    close_old_connections()
    next(job for job in SCHEDULE if job.name == name).run(timezone.now())
    close_old_connections()


if __name__ == "__main__":
    main()
