"""Results that wait for the database, while other threads add more."""

import dataclasses

import pytest
from django.db import connection

from tests.jobs.conftest import NOON
from tradingsite.jobs.models import JobState
from tradingsite.jobs.run_result import SKIPPED, RunResult
from tradingsite.jobs.scheduler.result_buffer import MAX_SKIPPED_PER_JOB, ResultBuffer
from tradingsite.jobs.timetable import registered

pytestmark = pytest.mark.django_db
JOB = "check_volatility"


def test_skip_added_while_a_full_list_is_saved_is_kept_for_the_next_run():
    JobState.objects.create(job_name=JOB)
    buffer = ResultBuffer(registered())
    skip = RunResult(JOB, NOON, 0.0, error=f"{SKIPPED}: the run before went on")
    late = dataclasses.replace(skip, error=f"{SKIPPED}: late")
    for number in range(MAX_SKIPPED_PER_JOB):
        buffer.add_skipped(dataclasses.replace(skip, duration_ms=float(number)))
    buffer.add(RunResult(JOB, NOON, 1.0))

    def add_while_saving(execute, sql, params, many, context):
        if sql.startswith('UPDATE "job_state"'):
            buffer.add_skipped(late)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(add_while_saving):
        buffer.record()

    assert list(buffer._skipped[JOB]) == [late]
