"""Runtime settings in admin: the list, the form, and what they refuse."""

import re
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from sysconfig import registry
from sysconfig.admin_pages.forms import widget_for
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey
from sysconfig.value_types import INTEGER
from tests.sysconfig.admin_pages.admin_desk import (
    ADD,
    LIST,
    act,
    asks,
    cells,
    change,
    changed,
    confirm,
    errors,
    messages,
    page,
    row,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return signed_in("operator")


def test_the_list_shows_keys_group_by_group_with_value_unit_default_and_time(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "7.5")
    SystemConfig.objects.create(key="a_free_key", value="text")
    listed = cells(browser.get(reverse(LIST)))

    grouped = [str(key.group) for key in registry.registered()]
    order = ["Trading", "Risk", "Model", "Retention"]
    assert [cell[0] for cell in listed] == [*sorted(grouped, key=order.index), "not registered"]
    stop_loss = next(cell for cell in listed if cell[1] == "stop_loss_pct")
    assert stop_loss[2:6] == [
        "7.5",
        "% below the average price",
        "default 5.0 differs",
        "just now tradingsite program",
    ]
    assert listed[-1][1:5] == ["a_free_key", "text", "", ""]


@pytest.mark.parametrize(
    ("chosen", "group"), [("0", "Trading"), ("1", "Risk"), ("3", "Retention"), ("none", "not registered")]
)
def test_the_list_can_be_narrowed_to_one_group(browser, chosen, group):
    SystemConfig.objects.create(key="a_free_key", value="text")
    groups = [cell[0] for cell in cells(browser.get(reverse(LIST)))]

    shown = [cell[0] for cell in cells(browser.get(reverse(LIST), {"group": chosen}))]
    assert shown == [group] * groups.count(group)


@pytest.mark.parametrize("chosen", ["99", "nonsense"])
def test_unknown_group_narrows_nothing(browser, chosen):
    shown = cells(browser.get(reverse(LIST), {"group": chosen}))

    assert len(shown) == len(registry.registered())


def test_the_list_marks_an_unreadable_row(browser):
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="many")

    listed = cells(browser.get(reverse(LIST)))

    (shown,) = [cell[2] for cell in listed if cell[1] == "stop_loss_pct"]
    assert shown.startswith("many unusable: must be a plain decimal number")


@pytest.mark.parametrize(
    ("key", "widget"),
    [
        ("stop_loss_pct", r'<input type="number" name="value" value="5.0" step="0.1" min="0.1" max="50"'),
        (
            "volatility_cooldown_min",
            r'<input type="number" name="value" value="15" step="1" min="1" max="1440"',
        ),
        ("trading_enabled", r'<select name="value".*<option value="true" selected>yes</option>'),
        ("markets", r'<textarea name="value" cols="60" rows="3".*KRW-BTC</textarea>'),
        ("ai_model", r'<input type="text" name="value" value="gemini-3.5-flash-lite" class="vTextField"'),
    ],
)
def test_each_kind_has_its_widget(browser, key, widget):
    assert re.search(widget, browser.get(page("change", key)).text, re.DOTALL)


def test_a_number_without_limits_has_a_widget_without_them():
    assert widget_for(ConfigKey("any_number", INTEGER, 1)).attrs == {"step": "1"}


def test_the_form_tells_unit_limits_default_and_meaning(browser):
    text = browser.get(page("change", "stop_loss_pct")).text

    assert "Value (% below the average price)" in text
    assert "A position that has lost this much is sold, whatever the model says." in text
    assert "whatever the model says. Must be between 0.1 and 50; default 5.0." in text
    assert "not registered" not in text


def test_the_form_speaks_korean_where_the_catalogue_does_and_works_in_both_languages(browser):
    browser.cookies["django_language"] = "ko"
    response = browser.get(page("change", "stop_loss_pct"))

    assert response.headers["Content-Language"] == "ko"
    changed(browser, "stop_loss_pct", "6.5")
    assert row("stop_loss_pct").value == "6.5"
    assert errors(change(browser, "stop_loss_pct", "51"))


def test_the_pages_hold_no_inline_script_or_style(browser):
    for address in (
        reverse(LIST),
        reverse(ADD),
        page("change", "trading_enabled"),
        page("history", "markets"),
    ):
        text = browser.get(address).text

        assert not re.search(
            r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|<style|\sstyle=|\son\w+=", text
        ), address


def test_a_changed_value_is_stored_canonical(browser):
    response = change(browser, "markets", " KRW-BTC\r\nKRW-ETH ", description="two for a start")

    assert response.status_code == 200
    assert (row("markets").value, row("markets").description) == ("KRW-BTC,KRW-ETH", "two for a start")
    change(browser, "trading_enabled", "false")
    assert SystemConfig.objects.get_value("trading_enabled") is False


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stop_loss_pct", "51", "stop_loss_pct: '51' is refused: must be between 0.1 and 50"),
        ("stop_loss_pct", "", "stop_loss_pct: '' is refused: must be a plain decimal number with at most"),
        (
            "volatility_cooldown_min",
            "1.5",
            "volatility_cooldown_min: '1.5' is refused: must be a whole number",
        ),
        ("trading_enabled", "", "trading_enabled: '' is refused: must be true or false"),
        ("trading_markets", "KRW-ETH", "trading_markets (KRW-ETH) must all be among markets (KRW-BTC)"),
        ("markets", "KRW-ETH", "markets: 'KRW-ETH' is refused: trading_markets (KRW-BTC) must all be among"),
        ("position_size_min_pct", "4", "(4) must not exceed position_size_max_pct (3.0)"),
    ],
)
def test_a_wrong_value_is_refused_with_the_key_the_value_and_the_limit(browser, key, value, message):
    before = row(key).value
    response = change(browser, key, value)

    assert len(errors(response)) == 1
    assert message in errors(response)[0]
    assert row(key).value == before
    assert not LogEntry.objects.exists()


def test_an_unreadable_value_is_shown_and_can_be_repaired(browser):
    SystemConfig.objects.filter(key="trading_enabled").update(value="perhaps")
    text = browser.get(page("change", "trading_enabled")).text

    assert "The stored value &#x27;perhaps&#x27; can&#x27;t be used: must be true or false." in text
    assert '<option value="">—</option>' in text
    change(browser, "trading_enabled", "false")
    assert SystemConfig.objects.get_value("trading_enabled") is False


def test_an_unreadable_value_is_shown_escaped(browser):
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="<script>")
    text = browser.get(page("change", "stop_loss_pct")).text

    assert "The stored value &#x27;&lt;script&gt;&#x27; can&#x27;t be used" in text
    assert "<script>" not in text


def test_a_registered_key_can_not_be_renamed(browser):
    assert 'name="key"' not in browser.get(page("change", "stop_loss_pct")).text

    changed(browser, "stop_loss_pct", "6", key="other")
    assert row("stop_loss_pct").value == "6"
    assert not SystemConfig.objects.filter(key="other").exists()


def test_a_registered_row_can_not_be_deleted(browser):
    SystemConfig.objects.create(key="a_free_key", value="text")

    assert browser.post(page("delete", "stop_loss_pct"), {"post": "yes"}).status_code == 403
    response = act(browser, "delete_selected", "stop_loss_pct", "a_free_key", post="yes")
    assert "following protected related objects" in response.text
    assert row("stop_loss_pct")
    assert row("a_free_key")


def test_other_keys_can_be_added_changed_renamed_and_deleted(browser):
    browser.post(reverse(ADD), {"key": "a_free_key", "value": " as it is ", "description": ""})
    assert row("a_free_key").value == "as it is"
    assert "not registered" in browser.get(page("change", "a_free_key")).text

    change(browser, "a_free_key", "", key="another_key")
    assert row("another_key").value == ""
    browser.post(page("delete", "another_key"), {"post": "yes"})
    assert not SystemConfig.objects.filter(key__in=["a_free_key", "another_key"]).exists()


def test_a_key_that_exists_is_not_added_twice(browser):
    response = browser.post(reverse(ADD), {"key": "stop_loss_pct", "value": "6", "description": ""})

    assert response.status_code == 200
    assert response.context["adminform"].form.errors["key"]
    assert row("stop_loss_pct").value == "5.0"


def test_a_registered_row_that_is_gone_can_be_added_with_a_valid_value_only(browser):
    SystemConfig.objects.filter(key="stop_loss_pct")._raw_delete("default")

    response = browser.post(reverse(ADD), {"key": "stop_loss_pct", "value": "51", "description": ""})
    assert errors(response) == ["stop_loss_pct: '51' is refused: must be between 0.1 and 50"]
    response = browser.post(reverse(ADD), {"key": "stop_loss_pct", "value": "6", "description": ""})
    assert asks(response) == [("stop_loss_pct", None, "6")]
    confirm(browser, response)
    assert row("stop_loss_pct").value == "6"


def test_chosen_rows_are_reset_to_their_defaults(browser):
    SystemConfig.objects.set_values({"stop_loss_pct": "7.5", "ai_daily_call_limit": 5})
    SystemConfig.objects.create(key="a_free_key", value="text")
    response = act(
        browser, "reset_to_default", "stop_loss_pct", "ai_daily_call_limit", "max_exposure_pct", "a_free_key"
    )

    assert asks(response) == [("stop_loss_pct", "7.5", "5.0"), ("ai_daily_call_limit", "5", "100")]
    response = confirm(browser, response)
    assert messages(response) == [("success", "2 settings reset to their defaults.")]
    assert SystemConfig.objects.get_value("stop_loss_pct") == Decimal("5.0")
    assert row("a_free_key").value == "text"
    entries = {(entry.object_repr, entry.get_change_message()) for entry in LogEntry.objects.all()}
    assert entries == {
        ("stop_loss_pct", "Changed 7.5 → 5.0 and reset to default."),
        ("ai_daily_call_limit", "Changed 5 → 100 and reset to default."),
    }


def test_rows_that_only_fit_together_are_reset_together_or_not_at_all(browser):
    SystemConfig.objects.set_values({"markets": "KRW-ETH", "trading_markets": "KRW-ETH"})

    ((level, text),) = messages(act(browser, "reset_to_default", "markets", "stop_loss_pct"))
    assert level == "error"
    assert "trading_markets (KRW-ETH) must all be among markets (KRW-BTC)" in text
    assert row("markets").value == "KRW-ETH"
    confirm(browser, act(browser, "reset_to_default", "trading_markets", "markets"))
    assert (row("markets").value, row("trading_markets").value) == ("KRW-BTC", "KRW-BTC")


def test_a_user_with_view_permission_gets_no_form():
    viewer = signed_in("viewer", "view_systemconfig")
    shown = viewer.get(page("change", "stop_loss_pct")).text

    assert 'name="value"' not in shown
    assert 'name="base"' not in shown
    assert "reset_to_default" not in viewer.get(reverse(LIST)).text
    assert viewer.post(page("change", "stop_loss_pct"), {"value": "6"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_value_changed_in_admin_is_read_at_once(browser):
    assert SystemConfig.objects.get_value("stop_loss_pct") == Decimal("5.0")
    change(browser, "stop_loss_pct", "4")

    assert SystemConfig.objects.get_value("stop_loss_pct") == Decimal(4)
