"""Every write is validated, alone and across keys, and a refused one changes nothing."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import InvalidConfigValue

pytestmark = pytest.mark.usefixtures("some_rows")

set_value = SystemConfig.objects.set_value
set_values = SystemConfig.objects.set_values


def stored(key):
    return SystemConfig.objects.values_list("value", flat=True).get(key=key)


def rows():
    return dict(SystemConfig.objects.values_list("key", "value"))


def row(key, /, **changes):
    found = SystemConfig.objects.get(key=key)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("t_enabled", True, "true"),
        ("t_enabled", " TRUE", "true"),
        ("t_count", 7, "7"),
        ("t_count", "07", "7"),
        ("t_least", Decimal("2.50"), "2.50"),
        ("t_least", 2, "2"),
        ("t_words", ["b", "a"], "b,a"),
        ("t_free", "any text at all", "any text at all"),
    ],
)
def test_a_typed_value_or_its_text_is_stored_as_canonical_text(key, value, text):
    set_value(key, value)

    assert stored(key) == text


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("t_count", 11, "must be between 0 and 10"),
        ("t_count", "eleven", "must be a whole number"),
        ("t_least", 1.5, "must be a plain decimal number"),
        ("t_least", "3.1", "t_least 3.1 exceeds t_most 3.0"),
        ("t_most", "0.9", "t_least 1.0 exceeds t_most 0.9"),
        ("t_words", ("a", "b", "c", "d"), "must have between 1 and 3 entries"),
        ("t_name", "", "must have between 1 and 20 characters"),
        ("k" * 101, "x", "a key has 1 to 100 characters"),
    ],
)
def test_a_wrong_value_is_refused_and_changes_nothing(key, value, rule):
    before = rows()

    with pytest.raises(InvalidConfigValue, match=rule):
        set_value(key, value)
    assert rows() == before


def test_several_values_are_judged_together():
    set_values({"t_least": 5, "t_most": 8})
    assert (stored("t_least"), stored("t_most")) == ("5", "8")

    set_values({"t_least": 1, "t_most": 3})
    assert (stored("t_least"), stored("t_most")) == ("1", "3")


@pytest.mark.parametrize(
    "write",
    [
        lambda: row("t_count", value="11").save(),
        lambda: SystemConfig.objects.create(key="t_count", value="11"),
        lambda: SystemConfig.objects.update_or_create(key="t_count", defaults={"value": "11"}),
    ],
)
def test_every_way_through_the_model_is_checked(write):
    with pytest.raises(InvalidConfigValue, match="must be between 0 and 10"):
        write()

    assert stored("t_count") == "5"


def test_saving_a_row_makes_its_text_canonical_and_judges_rules():
    row("t_least", value=" 02.5 ").save()
    assert stored("t_least") == "2.5"

    with pytest.raises(InvalidConfigValue, match=r"t_least 2.5 exceeds t_most 2.4"):
        row("t_most", value="2.4").save()


def test_saving_only_the_description_leaves_an_unreadable_value_alone():
    SystemConfig.objects.filter(key="t_count").update(value="broken")
    row("t_count", description="why").save(update_fields=["description"])

    assert SystemConfig.objects.get(key="t_count").description == "why"


def test_clean_reports_at_the_value():
    with pytest.raises(ValidationError) as refusal:
        row("t_count", value="11").full_clean()

    assert refusal.value.message_dict == {"value": ["t_count: '11' is refused: must be between 0 and 10"]}


def test_a_row_remembers_the_text_it_replaced():
    changed = set_values({"t_count": 7, "t_least": 2})
    assert [(one.replaced, one.value) for one in changed] == [("5", "7"), ("1.0", "2")]

    stale = row("t_count", value="8")
    set_value("t_count", 9)
    stale.save()
    assert stale.replaced == "9"


def test_a_registered_row_is_not_renamed():
    with pytest.raises(
        InvalidConfigValue, match="t_count: 't_other' is refused: a registered key can't be renamed"
    ):
        row("t_count", key="t_other").save()

    assert stored("t_count") == "5"


def test_a_row_renamed_to_a_registered_key_must_be_valid_and_alone():
    set_value("t_free", "text")

    with pytest.raises(InvalidConfigValue, match="t_count: 'text' is refused"):
        row("t_free", key="t_count").save()
    with pytest.raises(IntegrityError):
        row("t_free", key="t_count", value="6").save()


@pytest.mark.parametrize(
    "delete",
    [
        lambda: row("t_count").delete(),
        lambda: SystemConfig.objects.filter(key__in=["t_free", "t_count"]).delete(),
    ],
)
def test_a_registered_row_is_not_deleted(delete):
    set_value("t_free", "text")

    message = "t_count is registered and can't be deleted"
    with pytest.raises(ProtectedError, match=message), transaction.atomic():
        delete()
    assert stored("t_count") == "5"
    assert stored("t_free") == "text"


def test_plain_sql_moves_the_time_of_change_too():
    then = datetime(2026, 1, 1, tzinfo=UTC)
    SystemConfig.objects.filter(key="t_count").update(updated_at=then)
    assert SystemConfig.objects.get(key="t_count").updated_at == then  # an explicit value is kept

    with connection.cursor() as cursor:
        cursor.execute("UPDATE system_config SET value = '6' WHERE key = 't_count'")
        cursor.execute(
            "SELECT clock_timestamp() - updated_at BETWEEN interval '0' AND interval '1 min'"
            " FROM system_config WHERE key = 't_count'"
        )
        assert cursor.fetchone() == (True,)


def test_plain_sql_can_add_a_row_with_key_and_value_alone():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO system_config (key, value) VALUES ('t_sql', 'text')")

    added = SystemConfig.objects.get(key="t_sql")
    assert added.created_at.tzinfo is not None
    assert added.updated_at == added.created_at
    assert added.description is None


def test_set_value_moves_the_time_of_change_and_keeps_description_and_creation():
    row("t_count", description="note").save()
    before = SystemConfig.objects.get(key="t_count")
    set_value("t_count", 6)
    after = SystemConfig.objects.get(key="t_count")

    assert after.updated_at > before.updated_at
    assert (after.created_at, after.description) == (before.created_at, "note")


def test_a_test_case_may_take_a_snapshot_inside_its_own_transaction():
    assert SystemConfig.objects.snapshot()[registry.registered()[0]] is not None
