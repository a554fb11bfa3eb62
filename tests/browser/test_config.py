"""Settings in admin: change, refusal, conflict with a colleague, confirmation, revert and reset."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from playwright.sync_api import expect

from sysconfig.models import SystemConfig
from sysconfig.push import processes
from sysconfig.push.processes import Process

LIST = "/admin/sysconfig/systemconfig/"
CHANGES = "/admin/sysconfig/systemconfigchange/"


def stored(key):
    return SystemConfig.objects.get(key=key).value


def open_setting(page, key):
    page.goto(LIST)
    page.get_by_role("link", name=key, exact=True).first.click()
    page.wait_for_url("**/change/**")


def put(page, value):
    page.locator("[name=value]").fill(value)
    page.get_by_role("button", name="Save", exact=True).click()


@pytest.fixture
def colleague(operator):
    return User.objects.create_superuser("colleague", password="another long password")


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_riskier_limit_needs_a_confirmation_that_shows_old_and_new(visit, operator, look, javascript):
    page = visit(LIST, user=operator, javascript=javascript)
    open_setting(page, "volatility_threshold_pct")
    put(page, "4.5")

    expect(page.locator(".becomes")).to_contain_text("3.0 → 4.5 % in 5 minutes")
    assert stored("volatility_threshold_pct") == "3.0"
    if javascript:
        look(page, "confirm-en")
    page.get_by_role("link", name="No, change nothing").click()
    assert stored("volatility_threshold_pct") == "3.0"
    put(page, "4.5")
    page.get_by_role("button", name="Yes, change it").click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert stored("volatility_threshold_pct") == "4.5"


def test_second_editor_sees_the_first_change_and_decides(visit, operator, colleague, look):
    mine = visit(LIST, user=operator)
    open_setting(mine, "stop_loss_pct")
    theirs = visit(LIST, user=colleague)
    open_setting(theirs, "stop_loss_pct")
    put(theirs, "4")
    expect(theirs.locator(".messagelist .success")).to_be_visible()
    put(mine, "3")

    notice = mine.get_by_role("alert")
    expect(notice).to_contain_text("This setting changed while you were editing it")
    expect(notice).to_contain_text("5.0 → 4")
    expect(notice).to_contain_text("colleague")
    expect(mine.locator("[name=value]")).to_have_value("3")
    assert stored("stop_loss_pct") == "4"
    look(mine, "conflict-en")
    mine.get_by_role("button", name="Save", exact=True).click()
    expect(mine.locator(".messagelist .success")).to_be_visible()
    assert stored("stop_loss_pct") == "3"


def test_wrong_value_is_refused_with_key_value_and_limit(visit, operator, look):
    page = visit(LIST, user=operator)
    open_setting(page, "stop_loss_pct")
    look(page, "setting-en")
    put(page, "99")

    expect(page.locator(".errorlist").last).to_contain_text(
        "stop_loss_pct: '99' is refused: must be between 0.1 and 50"
    )
    look(page, "refused-en")
    assert stored("stop_loss_pct") == "5.0"
    put(page, "4")
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert stored("stop_loss_pct") == "4"


def test_change_is_reverted_from_the_history_of_its_key(visit, operator, look):
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="4")
    page = visit(LIST, user=operator)
    open_setting(page, "stop_loss_pct")
    page.get_by_role("link", name="Full history and revert").click()
    expect(page.locator("#change-history .unchecked")).to_have_text("SQL, unchecked")
    look(page, "history-of-key-en")
    page.get_by_role("button", name="Revert").first.click()
    expect(page.locator(".becomes")).to_contain_text("4 → 5.0")
    look(page, "revert-en")
    page.get_by_role("button", name="Yes, change it").press("Enter")

    expect(page.locator(".messagelist .success")).to_contain_text("Reverted. stop_loss_pct: 4 → 5.0")
    assert stored("stop_loss_pct") == "5.0"


def test_change_is_reverted_from_the_history_of_all_keys(visit, operator, look):
    SystemConfig.objects.set_values({"ai_daily_call_limit": 80, "markets": "KRW-BTC KRW-ETH KRW-XRP"})
    page = visit(CHANGES, user=operator)
    look(page, "history-en")
    page.get_by_role("button", name="of ai_daily_call_limit").first.click()
    page.get_by_role("button", name="Yes, change it").click()

    expect(page.locator(".messagelist .success")).to_contain_text("Reverted.")
    assert stored("ai_daily_call_limit") == "100"


def test_reset_shows_old_and_new_before_it_changes_anything(visit, operator, look):
    SystemConfig.objects.set_values({"ai_daily_call_limit": 80, "stop_loss_pct": "7.5"})
    SystemConfig.objects.filter(key="trading_markets").update(value="KRW-DOGE")
    page = visit(f"{LIST}?standing=differs", user=operator)
    look(page, "differs-en")
    for key in ("ai_daily_call_limit", "stop_loss_pct"):
        page.get_by_role("row").filter(has_text=key).get_by_role("checkbox").check()
    page.locator("[name=action]").select_option("reset_to_default")
    page.get_by_role("button", name="Go").click()

    expect(page.locator(".step")).to_have_count(2)
    look(page, "reset-en")
    page.get_by_role("button", name="Yes, change it").click()
    expect(page.locator(".messagelist .success")).to_contain_text("2 settings reset")
    assert (stored("ai_daily_call_limit"), stored("stop_loss_pct")) == ("100", "5.0")


def test_config_pages_fit_and_pass_axe(visit, operator, look, view):
    SystemConfig.objects.set_values({"stop_loss_pct": "7.5", "markets": ["KRW-BTC", "KRW-ETH"]})
    connection.ensure_connection()
    now = processes.fingerprint(connection.connection)
    for role, version in (("gunicorn", now), ("manage.py runscheduler", "0-older")):
        process = Process(uuid4(), "trader-1", 4242, role, timezone.now())
        processes.record(connection.connection, process, version)
    page = visit(LIST, user=operator, **view)
    look(page, f"settings-{view['language']}")
    page.goto(f"{LIST}processes/")
    expect(page.locator(".state.behind")).to_have_count(1)
    look(page, f"processes-{view['language']}")
    page.goto(f"{CHANGES}?key=stop_loss_pct")
    look(page, f"history-{view['language']}")
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_url("**/change/**")
    look(page, f"change-{view['language']}")
