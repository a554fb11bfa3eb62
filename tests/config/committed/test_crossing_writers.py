"""Several writers at once: rules hold over rows that others are changing, and nobody deadlocks."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from sysconfig.models import SystemConfig
from sysconfig.registry import InvalidConfigValue

pytestmark = pytest.mark.usefixtures("some_rows")

set_value = SystemConfig.objects.set_value
set_values = SystemConfig.objects.set_values


def rows():
    return dict(SystemConfig.objects.values_list("key", "value"))


def stored(key):
    return rows()[key]


def test_several_values_are_stored_together_or_not_at_all():
    before = rows()

    with pytest.raises(InvalidConfigValue, match="t_least 9 exceeds t_most 8"):
        set_values({"t_new": "text", "t_count": 1, "t_least": 9, "t_most": 8})
    assert rows() == before


def test_rules_are_judged_with_the_rows_locked(elsewhere):
    """Two changes, each fine alone and wrong together: one waits, sees the other, and is refused."""
    locked, end = threading.Event(), threading.Event()

    def raise_least():
        with transaction.atomic():
            set_value("t_least", "2.5")
            locked.set()
            assert end.wait(10)

    def lower_most():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
        set_value("t_most", "2")

    pids: list[int] = []
    first = elsewhere(raise_least)
    assert locked.wait(10)
    second = elsewhere(lower_most)
    wait_until_it_waits(second, pids)
    end.set()

    first.result(10)
    with pytest.raises(InvalidConfigValue, match=r"t_least 2.5 exceeds t_most 2"):
        second.result(10)
    assert (stored("t_least"), stored("t_most")) == ("2.5", "3.0")


def wait_until_it_waits(call, pids):
    """Return once the call has ended, or its server process waits for another's lock."""
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while not call.done() and datetime.now(UTC) < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT cardinality(pg_blocking_pids(pid)) FROM unnest(%s::int[]) AS pid", [pids])
            if any(blockers for (blockers,) in cursor.fetchall()):
                return


def test_rows_are_locked_in_one_order_so_that_crossing_changes_can_not_deadlock(elsewhere):
    start = threading.Barrier(2)

    def change(first, second):
        start.wait(10)
        for _ in range(10):
            set_values({first: 1, second: 1})

    one, other = elsewhere(change, "t_least", "t_most"), elsewhere(change, "t_most", "t_least")

    assert (one.result(20), other.result(20)) == (None, None)


def test_two_writers_may_add_the_same_new_key(elsewhere):
    start = threading.Barrier(4)

    def add(number):
        start.wait(10)
        set_value("t_new", str(number))

    calls = [elsewhere(add, number) for number in range(4)]

    assert [call.result(10) for call in calls] == [None] * 4
    assert stored("t_new") in "0123"
