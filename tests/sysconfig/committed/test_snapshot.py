"""`SystemConfig.objects.snapshot()`: what a job acts on."""

import threading
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey, UnreadableConfig
from sysconfig.value_types import INTEGER

pytestmark = pytest.mark.usefixtures("some_rows")


def take():
    return SystemConfig.objects.snapshot()


def key(name):
    found = registry.find(name)
    assert found is not None
    return found


def break_row(name, value):
    SystemConfig.objects.filter(key=name).update(value=value)


def test_a_snapshot_is_typed_and_takes_one_select():
    with CaptureQueriesContext(connection) as queries:
        snapshot = take()

    assert len(queries) == 1
    assert snapshot[key("t_least")] == Decimal("1.0")
    assert snapshot[key("t_enabled")] is False
    assert snapshot[key("t_words")] == ("a",)


def test_a_snapshot_reads_the_table_and_not_the_cache():
    SystemConfig.objects.get_value("t_count")
    break_row("t_count", "6")  # no signal

    assert SystemConfig.objects.get_value("t_count") == 5
    assert take()[key("t_count")] == 6


def test_a_snapshot_never_changes():
    snapshot = take()
    SystemConfig.objects.set_value("t_count", 6)

    assert snapshot[key("t_count")] == 5
    with pytest.raises(TypeError):
        snapshot[key("t_count")] = 7


def test_an_unreadable_row_fails_only_its_own_key():
    break_row("t_count", "broken")
    snapshot = take()

    assert snapshot[key("t_name")] == "a name"
    with pytest.raises(UnreadableConfig, match="t_count holds 'broken'"):
        snapshot[key("t_count")]


def test_a_missing_row_is_an_error_that_names_it_and_never_the_default():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM system_config WHERE key = 't_count'")
    snapshot = take()

    with pytest.raises(UnreadableConfig, match="t_count has no row"):
        snapshot[key("t_count")]


def test_rows_that_break_a_rule_together_make_its_first_key_unreadable():
    break_row("t_least", "3.5")
    snapshot = take()

    with pytest.raises(UnreadableConfig, match=r"t_least holds '3.5': t_least 3.5 exceeds t_most 3.0"):
        snapshot[key("t_least")]
    assert snapshot[key("t_most")] == Decimal("3.0")


@pytest.mark.parametrize("broken", ["t_least", "t_most"])
def test_a_rule_that_can_not_be_judged_counts_as_broken(broken):
    break_row(broken, "broken")
    snapshot = take()

    with pytest.raises(UnreadableConfig, match=f"{broken}"):
        snapshot[key("t_least")]


def test_an_unregistered_key_raises_key_error():
    with pytest.raises(KeyError):
        take()[ConfigKey("t_unknown", INTEGER, 1)]


def test_a_snapshot_inside_a_transaction_is_refused():
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        take()


def test_a_change_of_two_values_is_never_seen_half_way(elsewhere):
    done = threading.Event()

    def flip():
        try:
            for value in range(1, 41):
                SystemConfig.objects.set_values({"t_count": value % 2, "t_name": str(value % 2)})
        finally:
            done.set()

    SystemConfig.objects.set_values({"t_count": 0, "t_name": "0"})
    writer = elsewhere(flip)
    seen = set()
    while not done.is_set():
        snapshot = take()
        seen.add((snapshot[key("t_count")], snapshot[key("t_name")]))

    writer.result(60)
    assert seen <= {(0, "0"), (1, "1")}
