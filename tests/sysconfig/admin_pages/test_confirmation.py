"""A riskier change needs a confirmation, and is made exactly as confirmed."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core import signing
from django.urls import reverse

from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey
from tests.sysconfig.admin_pages.admin_desk import (
    ASKED,
    LIST,
    act,
    asks,
    change,
    confirm,
    confirmation,
    messages,
    plain,
    row,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return signed_in("operator")


def test_a_riskier_change_is_confirmed_with_old_new_unit_and_meaning(browser):
    response = change(browser, "stop_loss_pct", "7.5", description="wild week", _continue="on")
    text = plain(response.text)

    assert asks(response) == [("stop_loss_pct", "5.0", "7.5")]
    assert "stop_loss_pct raises the risk 5.0 → 7.5 % below the average price" in text
    assert "A position that has lost this much is sold, whatever the model says." in text
    assert row("stop_loss_pct").value == "5.0"
    assert not LogEntry.objects.exists()

    response = confirm(browser, response)
    assert (row("stop_loss_pct").value, row("stop_loss_pct").description) == ("7.5", "wild week")
    assert "adminform" in response.context, "the button that was pressed is remembered"


@pytest.mark.parametrize(
    ("key", "value"), [("stop_loss_pct", "4"), ("ai_min_confidence", "0.7"), ("markets", "KRW-BTC KRW-ETH")]
)
def test_other_changes_are_saved_at_once(browser, key, value):
    assert asks(change(browser, key, value)) is None


def test_a_new_description_alone_is_saved_at_once(browser):
    assert asks(change(browser, "stop_loss_pct", "5.0", description="as delivered")) is None
    assert row("stop_loss_pct").description == "as delivered"


def test_switching_trading_on_in_live_mode_needs_confirmation(browser, monkeypatch):
    from sysconfig import registry
    from sysconfig.value_types import BOOL

    live = ConfigKey("trading_enabled", BOOL, default=False, riskier="higher")
    monkeypatch.setitem(registry._keys, "trading_enabled", live)
    SystemConfig.objects.set_value("trading_enabled", value=False)
    response = change(browser, "trading_enabled", "true")

    assert asks(response) == [("trading_enabled", "false", "true")]
    confirm(browser, response)
    assert row("trading_enabled").value == "true"
    assert asks(change(browser, "trading_enabled", "false")) is None


def test_renaming_a_row_to_a_missing_setting_needs_confirmation(browser):
    SystemConfig.objects.filter(key="stop_loss_pct").update(key="a_free_key")

    response = change(browser, "a_free_key", "5.0", key="stop_loss_pct")
    assert asks(response) == [("stop_loss_pct", None, "5.0")]
    assert not SystemConfig.objects.filter(key="stop_loss_pct").exists()


def test_repairing_an_unreadable_limit_is_confirmed_with_the_old_text(browser):
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="many")

    assert asks(change(browser, "stop_loss_pct", "5")) == [("stop_loss_pct", "many", "5")]


def test_a_tampered_value_needs_a_new_confirmation(browser):
    response = confirm(browser, change(browser, "stop_loss_pct", "7.5"), value="50")

    assert asks(response) == [("stop_loss_pct", "5.0", "50")]
    assert "The confirmation is too old, or the change would now be a different one" in response.text
    assert row("stop_loss_pct").value == "5.0"


def test_a_tampered_value_that_is_wrong_is_refused(browser):
    response = confirm(browser, change(browser, "stop_loss_pct", "7.5"), value="51")

    assert response.context["adminform"].form.errors["value"]
    assert row("stop_loss_pct").value == "5.0"


def test_a_confirmation_of_one_key_is_none_of_another(browser):
    token = confirmation(change(browser, "stop_loss_pct", "7.5"))["confirmed"]

    assert asks(change(browser, "daily_loss_limit_pct", "7.5", confirmed=token))
    assert row("daily_loss_limit_pct").value == "5.0"


def test_a_confirmation_of_one_person_is_none_of_another(browser):
    token = confirmation(change(browser, "stop_loss_pct", "7.5"))["confirmed"]

    assert asks(change(signed_in("another"), "stop_loss_pct", "7.5", confirmed=token))
    assert row("stop_loss_pct").value == "5.0"


@pytest.mark.parametrize("token", ["", "nonsense", "WyI1Il0:1vN:abc"])
def test_a_made_up_confirmation_is_none(browser, token):
    assert asks(confirm(browser, change(browser, "stop_loss_pct", "7.5"), confirmed=token))
    assert row("stop_loss_pct").value == "5.0"


def test_something_else_that_this_site_signed_is_no_confirmation(browser):
    steps = [str(browser.session["_auth_user_id"]), ["stop_loss_pct", "5.0", "7.5"]]

    assert asks(change(browser, "stop_loss_pct", "7.5", confirmed=signing.dumps(steps)))
    assert asks(
        change(browser, "stop_loss_pct", "7.5", confirmed=signing.dumps(steps, salt="sysconfig.base"))
    )
    assert row("stop_loss_pct").value == "5.0"


def test_an_expired_confirmation_is_not_accepted(browser, monkeypatch):
    response = change(browser, "stop_loss_pct", "7.5")
    monkeypatch.setattr("sysconfig.admin_pages.confirmation.GOOD_FOR", timedelta(seconds=-1))

    assert asks(confirm(browser, response)) == [("stop_loss_pct", "5.0", "7.5")]
    assert row("stop_loss_pct").value == "5.0"


def test_the_confirmation_is_protected_against_other_sites(browser):
    browser.handler.enforce_csrf_checks = True

    assert confirm(browser, change_with_csrf(browser), csrfmiddlewaretoken="").status_code == 403
    assert row("stop_loss_pct").value == "5.0"


def change_with_csrf(browser):
    browser.handler.enforce_csrf_checks = False
    response = change(browser, "stop_loss_pct", "7.5")
    browser.handler.enforce_csrf_checks = True
    return response


def test_a_reset_shows_old_and_new_of_every_setting(browser):
    SystemConfig.objects.set_values({"stop_loss_pct": "7.5", "max_exposure_pct": "40"})
    response = act(browser, "reset_to_default", "stop_loss_pct", "max_exposure_pct", "ai_model")

    assert asks(response) == [("stop_loss_pct", "7.5", "5.0"), ("max_exposure_pct", "40", "30.0")]
    assert "raises the risk" not in plain(response.text)
    assert row("stop_loss_pct").value == "7.5"


def test_a_reset_needs_a_new_confirmation_after_a_concurrent_change(browser):
    SystemConfig.objects.set_values({"stop_loss_pct": "7.5", "ai_daily_call_limit": 5})
    confirm_page = act(browser, "reset_to_default", "stop_loss_pct", "ai_daily_call_limit")
    SystemConfig.objects.set_value("ai_daily_call_limit", 7)
    response = confirm(browser, confirm_page)

    assert asks(response) == [("stop_loss_pct", "7.5", "5.0"), ("ai_daily_call_limit", "7", "100")]
    assert (row("stop_loss_pct").value, row("ai_daily_call_limit").value) == ("7.5", "7")
    assert messages(confirm(browser, response)) == [("success", "2 settings reset to their defaults.")]


def test_a_reset_of_a_default_needs_no_confirmation(browser):
    assert messages(act(browser, "reset_to_default", "ai_model")) == [
        ("success", "0 settings reset to their defaults.")
    ]


def test_the_history_has_author_and_origin_of_a_confirmed_change(browser):
    confirm(browser, change(browser, "stop_loss_pct", "7.5"))
    made = SystemConfigChange.objects.get(key="stop_loss_pct", new_value="7.5")

    assert (made.source, made.actor, made.origin) == ("admin", "operator", "127.0.0.1")


def test_saying_no_leads_back_and_changes_nothing(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "7.5")
    response = act(browser, "reset_to_default", "stop_loss_pct")

    assert response.context["back"] == reverse(LIST)
    assert f'href="{reverse(LIST)}"' in response.text
    assert ASKED in [template.name for template in response.templates]
    assert row("stop_loss_pct").value == "7.5"
