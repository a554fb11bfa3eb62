"""Stores failed runs, and all runs of rare jobs, in django-apscheduler's table of executions."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import Error, models
from django_apscheduler.models import DjangoJobExecution

from tradingsite.jobs.models import JobEvent
from tradingsite.jobs.run_result import RunResult

logger = structlog.get_logger(__name__)

# Successes of more frequent jobs are not stored: they would be 11,500 similar rows a day.
_EVERY_RUN_FROM = timedelta(minutes=5)


def keep(result: RunResult, every: timedelta) -> None:
    """Store a failure of any job, or any run of a rare one. If that is not possible it is only logged."""
    if result.tick is None or (result.success and every < _EVERY_RUN_FROM):
        return
    row = DjangoJobExecution(
        job_id=result.job_name,
        run_time=result.tick,
        status=DjangoJobExecution.SUCCESS if result.success else DjangoJobExecution.ERROR,
        duration=Decimal(str(round(result.duration_ms / 1000, 2))),
        finished=Decimal(str(round(result.ended_at.timestamp(), 2))),
        exception=result.error,
    )
    try:
        DjangoJobExecution.objects.bulk_create([row], ignore_conflicts=True)
    except Error as error:
        logger.warning("history.not_kept", job=result.job_name, error=type(error).__name__)


def older_than(cutoff: datetime) -> models.QuerySet[models.Model]:
    rows: models.QuerySet[models.Model] = DjangoJobExecution.objects.filter(run_time__lt=cutoff)
    return rows


def events_older_than(cutoff: datetime) -> models.QuerySet[models.Model]:
    rows: models.QuerySet[Any] = JobEvent.objects.filter(at__lt=cutoff)
    return rows
