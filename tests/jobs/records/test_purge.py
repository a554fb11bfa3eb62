"""Old runs are deleted in batches, so that no session waits for the clean-up (docs/scheduler.md F37)."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from tests.jobs.conftest import COMMITTED
from tradingsite.batches import BATCH_ROWS, delete_in_batches
from tradingsite.jobs.models import JobRun
from tradingsite.jobs.records.kept_runs import older_than

pytestmark = COMMITTED

_ROWS = """
INSERT INTO django_apscheduler_djangojobexecution (job_id, status, run_time)
SELECT 'good', 'Executed', now() - interval '2 days' - n * interval '1 s' FROM generate_series(1, %s) AS n
"""


@pytest.mark.slow
def test_deleting_a_million_old_runs_takes_under_a_second_a_statement():
    DjangoJob.objects.create(id="good", job_state=b"")
    took_s = []

    def timed(execute, *call):
        began = time.monotonic()
        try:
            return execute(*call)
        finally:
            took_s.append(time.monotonic() - began)

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_ROWS, [1_000_000])
    with connection.execute_wrapper(timed):
        gone = delete_in_batches(older_than(timezone.now() - timedelta(days=1)))

    connection.close()
    assert gone == 1_000_000
    assert max(took_s) < 1


def test_old_runs_are_deleted_in_batches():
    DjangoJob.objects.create(id="good", job_state=b"")
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [2 * BATCH_ROWS + 1])

    with CaptureQueriesContext(connection) as queries:
        gone = delete_in_batches(older_than(timezone.now() - timedelta(days=1)))

    deletes = [each["sql"] for each in queries if each["sql"].startswith("DELETE")]
    assert (gone, JobRun.objects.count(), len(deletes)) == (2 * BATCH_ROWS + 1, 0, 3)
    assert all(f"LIMIT {BATCH_ROWS}" in sql for sql in deletes)
