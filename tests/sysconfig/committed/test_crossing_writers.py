"""Concurrent writers: rules between keys are kept, and there is no deadlock."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection, transaction

from sysconfig.change_plan import Step, plan
from sysconfig.models import SystemConfig
from sysconfig.registry import ConcurrentChange, InvalidConfigValue

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
            assert end.wait(60)

    def lower_most():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
        set_value("t_most", "2")

    pids: list[int] = []
    first = elsewhere(raise_least)
    assert locked.wait(60)
    second = elsewhere(lower_most)
    wait_until_it_waits(second, pids)
    end.set()

    first.result(60)
    with pytest.raises(InvalidConfigValue, match=r"t_least 2.5 exceeds t_most 2"):
        second.result(60)
    assert (stored("t_least"), stored("t_most")) == ("2.5", "3.0")


def wait_until_it_waits(call, pids):
    """Return once the call has ended, or its server process waits for another's lock."""
    deadline = datetime.now(UTC) + timedelta(seconds=60)
    while not call.done() and datetime.now(UTC) < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT cardinality(pg_blocking_pids(pid)) FROM unnest(%s::int[]) AS pid", [pids])
            if any(blockers for (blockers,) in cursor.fetchall()):
                return


def test_rows_are_locked_in_one_order_so_that_crossing_changes_can_not_deadlock(elsewhere):
    start = threading.Barrier(2)

    def change(first, second):
        start.wait(60)
        for _ in range(10):
            set_values({first: 1, second: 1})

    one, other = elsewhere(change, "t_least", "t_most"), elsewhere(change, "t_most", "t_least")

    assert (one.result(60), other.result(60)) == (None, None)


def test_two_writers_may_add_the_same_new_key(elsewhere):
    start = threading.Barrier(4)

    def add(number):
        start.wait(60)
        set_value("t_new", str(number))

    calls = [elsewhere(add, number) for number in range(4)]

    assert [call.result(60) for call in calls] == [None] * 4
    assert stored("t_new") in "0123"


# What a writer believed


def test_an_outdated_expected_value_is_refused():
    set_values({"t_count": 7, "t_name": "b"}, expected={"t_count": "5", "t_name": "a name"})
    before = rows()

    with pytest.raises(ConcurrentChange, match="t_name was changed meanwhile: it is 'b', no longer 'a name'"):
        set_values({"t_count": 8, "t_name": "c"}, expected={"t_count": "7", "t_name": "a name"})
    assert rows() == before


def test_a_key_that_is_not_changed_may_be_expected_too():
    with pytest.raises(ConcurrentChange) as meanwhile:
        set_values({"t_count": 7}, expected={"t_name": "another"})

    assert (meanwhile.value.key, meanwhile.value.expected, meanwhile.value.stored) == (
        "t_name",
        "another",
        "a name",
    )
    assert stored("t_count") == "5"


def test_expecting_none_means_that_there_is_no_row():
    set_values({"t_new": "one"}, expected={"t_new": None})

    with pytest.raises(
        ConcurrentChange, match="t_new was changed meanwhile: it is 'one', no longer without a row"
    ):
        set_values({"t_new": "two"}, expected={"t_new": None})
    with pytest.raises(ConcurrentChange, match="it is without a row, no longer 'one'"):
        set_values({"t_count": 7}, expected={"t_gone": "one"})
    assert stored("t_new") == "one"


@pytest.mark.parametrize("key", ["t_name", "t_new"])
def test_of_writers_with_the_same_expected_value_one_succeeds(elsewhere, key):
    """A row that both change, and one that both add."""
    start = threading.Barrier(4)
    seen = rows().get(key)

    def write(number):
        start.wait(60)
        try:
            set_values({key: str(number)}, expected={key: seen})
        except ConcurrentChange as meanwhile:
            return meanwhile.stored
        return None

    calls = [elsewhere(write, number) for number in range(4)]
    results = [call.result(60) for call in calls]

    [winner] = [number for number, other in enumerate(results) if other is None]
    assert stored(key) == str(winner)
    assert results.count(str(winner)) == 3


def test_two_writers_of_the_same_new_keys_can_not_deadlock(elsewhere):
    start = threading.Barrier(2)

    def add(*keys):
        for number in range(10):
            start.wait(60)
            set_values({f"{key}{number}": "x" for key in keys})

    one, other = elsewhere(add, "t_a", "t_b"), elsewhere(add, "t_b", "t_a")

    assert (one.result(60), other.result(60)) == (None, None)


def test_a_plan_is_carried_out_only_over_the_values_it_was_made_from():
    made = plan({"t_count": 7, "t_name": "a name"})
    assert made.steps == [Step("t_count", "5", "7")]
    set_value("t_name", "b")  # the plan takes it for right already

    with pytest.raises(ConcurrentChange, match="t_name was changed meanwhile"):
        made.carry_out()
    assert (stored("t_count"), stored("t_name")) == ("5", "b")


def test_an_import_is_refused_when_a_value_changes_while_its_operator_thinks(
    elsewhere, monkeypatch, tmp_path
):
    path = tmp_path / "config.json"
    values = {"t_count": "7", "t_name": "b"}
    path.write_text(json.dumps({"format_version": 1, "mode": "sandbox", "values": values}))

    class SlowOperator:
        def isatty(self):
            return True

        def readline(self):
            elsewhere(set_value, "t_name", "c").result(60)
            return "y\n"

    monkeypatch.setattr("sys.stdin", SlowOperator())
    with pytest.raises(CommandError, match="t_name was changed meanwhile: it is 'c', no longer 'a name'"):
        call_command("sysconfig", "import", str(path))

    assert (stored("t_count"), stored("t_name")) == ("5", "c")


def test_a_change_of_several_that_dies_half_way_changed_nothing():
    """The connection is lost after some of its rows were written."""
    values = {"t_count": "7", "t_least": "2", "t_name": "b"}
    before = rows()
    written = []

    def lose(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith("UPDATE"):
            written.append(sql)
        if len(written) == 2:
            connection.connection.close()
        return result

    with connection.execute_wrapper(lose), pytest.raises((OperationalError, InterfaceError)):
        set_values(values)
    connection.close()

    assert len(written) == 2
    assert rows() == before
