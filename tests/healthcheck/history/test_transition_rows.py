"""Changes of state are found quickly however many there were (docs/health.md, 15)."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from healthcheck.history.queries import transition, transitions
from healthcheck.models import HealthTransition

pytestmark = pytest.mark.django_db

MANY = 100_000
MOST_READ = 500
"""Rows that any step of the plan may read to show 50 changes: far below `MANY`, far above what it needs."""


@pytest.fixture
def many():
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO health_transition (component, at, before, after, message, params, version, rehearsal)
            SELECT (ARRAY['database', 'upbit_api'])[1 + n %% 2], now() - n * interval '1 minute',
                   (ARRAY['healthy', 'unhealthy'])[1 + (n / 2) %% 2],
                   (ARRAY['unhealthy', 'healthy'])[1 + (n / 2) %% 2], '', '{}', '1', false
            FROM generate_series(1, %s) AS n
            """,
            [MANY],
        )
        cursor.execute("ANALYZE health_transition")


def rows_read(queries):
    """Return the most rows that a step of any of these statements goes through."""
    with connection.cursor() as cursor:
        most = 0
        for query in queries:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query['sql']}")
            (explained,) = cursor.fetchone()
            plans = json.loads(explained) if isinstance(explained, str) else explained
            most = max(most, *steps(plans[0]["Plan"]))
        return most


def steps(plan):
    yield (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from steps(part)


@pytest.mark.usefixtures("many")
def test_a_page_reads_only_its_rows_of_a_hundred_thousand_changes(django_assert_num_queries):
    for component in (None, "upbit_api"):  # in one test: planting takes seconds
        with django_assert_num_queries(2) as captured:
            newest = transitions(component, limit=50)
            older = transitions(component, limit=50, older_than_pk=newest[-1].pk)

        assert len(newest) == len(older) == 50
        assert max(row.at for row in older) < min(row.at for row in newest)
        assert rows_read(captured.captured_queries) < MOST_READ


def test_a_change_lasts_until_the_next_of_its_component():
    now = timezone.now()
    changed(now, "database", "unhealthy")
    changed(now + timedelta(minutes=1), "upbit_api", "unhealthy")
    changed(now + timedelta(minutes=5), "database", "healthy", rehearsal=True)

    back, other, down = transitions()

    assert (down.lasted, other.lasted, back.lasted) == (timedelta(minutes=5), None, None)
    assert [row.rehearsal for row in (back, other, down)] == [True, False, False]
    assert transition(down.pk) == down
    assert transition(0) is None


def test_pages_list_all_changes_of_one_moment():
    now = timezone.now()
    for name in ("database", "scheduler", "upbit_api"):
        changed(now, name, "unhealthy")

    seen: list[int] = []
    while page := transitions(limit=2, older_than_pk=seen[-1] if seen else None):
        seen += [row.pk for row in page]

    assert len(seen) == len(set(seen)) == 3
    HealthTransition.objects.filter(pk=seen[0]).delete()
    assert transitions(older_than_pk=seen[0]) == []


def changed(at, component, after, **facts):
    before = "healthy" if after == "unhealthy" else "unhealthy"
    HealthTransition.objects.create(component=component, at=at, before=before, after=after, **facts)
