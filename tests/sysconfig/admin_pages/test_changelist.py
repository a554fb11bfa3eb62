"""The list of runtime settings: what one sees at a glance, and how it is narrowed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.moments import ago
from tests.sysconfig.admin_pages.admin_desk import LIST, cells, change, changed, page, row, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return signed_in("operator")


def listed(browser, **question):
    return [line[1] for line in cells(browser.get(reverse(LIST), question))]


def line(browser, key):
    (found,) = [line for line in cells(browser.get(reverse(LIST))) if line[1] == key]
    return found


def test_the_list_shows_author_and_age_of_the_last_change(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "3")
    changed(browser, "stop_loss_pct", "4")
    shown = browser.get(reverse(LIST)).text

    assert line(browser, "stop_loss_pct")[5:] == ["just now operator admin"]
    assert f'<time datetime="{row("stop_loss_pct").updated_at:%Y-%m-%dT%H:%M}' in shown


def test_a_description_alone_is_no_change_of_the_value(browser):
    change(browser, "stop_loss_pct", "5.0", description="as delivered")

    assert "operator" not in line(browser, "stop_loss_pct")[5]


def test_the_list_marks_values_that_differ_from_the_default_in_meaning(browser):
    SystemConfig.objects.set_values({"stop_loss_pct": "5", "daily_loss_limit_pct": "4"})

    assert line(browser, "stop_loss_pct")[4] == "default 5.0"
    assert line(browser, "daily_loss_limit_pct")[4] == "default 5.0 differs"
    assert listed(browser, standing="differs") == ["daily_loss_limit_pct"]


def test_the_list_finds_unusable_values_and_those_that_break_a_rule(browser):
    SystemConfig.objects.filter(key="trading_markets").update(value="KRW-ETH")
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="many")

    assert listed(browser, standing="unusable") == ["trading_markets", "stop_loss_pct"]
    assert "KRW-ETH unusable: trading_markets (KRW-ETH) must all be among markets (KRW-BTC)" in line(
        browser, "trading_markets"
    )
    assert set(listed(browser, standing="differs")) == {"trading_markets", "stop_loss_pct"}


def test_the_list_filters_by_time_of_the_last_change(browser):
    changed(browser, "stop_loss_pct", "6")
    with connection.cursor() as cursor:  # nothing rewrites the history, except here
        cursor.execute("ALTER TABLE system_config_change DISABLE TRIGGER system_config_change_kept")
        cursor.execute(
            "UPDATE system_config_change SET at = at - interval '8 days' WHERE key <> 'stop_loss_pct'"
        )
        cursor.execute(
            "UPDATE system_config_change SET at = at - interval '3 days' WHERE key = 'stop_loss_pct'"
        )
        cursor.execute("ALTER TABLE system_config_change ENABLE TRIGGER system_config_change_kept")
        cursor.execute("UPDATE system_config SET updated_at = updated_at - interval '9 days'")
    SystemConfig.objects.set_value("ai_model", "another-model")

    assert listed(browser, changed="day") == ["ai_model"]
    assert listed(browser, changed="week") == ["stop_loss_pct", "ai_model"]
    assert len(listed(browser, changed="nonsense")) == len(registry.registered())
    assert line(browser, "stop_loss_pct")[5] == "3 days ago operator admin"
    assert line(browser, "markets")[5].startswith("1 week ago")


def test_the_list_is_searched_by_key_value_and_description(browser):
    change(browser, "ai_model", "another-model", description="a trial")

    for text in ("ai_model", "another-model", "a trial"):
        assert listed(browser, q=text) == ["ai_model"]


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=3, minutes=50), "3 hours ago"),
    ],
)
def test_an_age_is_shown_in_its_largest_unit(passed, text):
    now = timezone.now()

    assert ago(now - passed, now).replace("\xa0", " ") == text


def test_the_list_leads_to_the_history_and_the_processes(browser):
    text = browser.get(reverse(LIST)).text

    assert f'href="{reverse("admin:sysconfig_systemconfigchange_changelist")}"' in text
    assert f'href="{reverse("admin:sysconfig_processes")}"' in text


def test_the_list_asks_the_database_as_often_for_many_rows_as_for_few(browser, django_assert_max_num_queries):
    SystemConfig.objects.bulk_create(SystemConfig(key=f"free_{number}", value="") for number in range(50))

    with django_assert_max_num_queries(9):
        browser.get(reverse(LIST))


def test_a_value_from_before_there_was_a_history_shows_when_its_row_changed(browser):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE system_config SET updated_at = now()")
        cursor.execute("TRUNCATE system_config_change")

    assert line(browser, "stop_loss_pct")[5] == "just now"
    for name in ("change", "history"):
        assert "No changes to this setting are recorded." in browser.get(page(name, "stop_loss_pct")).text
