"""The history in admin: of one key and of all, and taking a change back."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from sysconfig.models import SystemConfig
from tests.sysconfig.admin_pages.admin_desk import (
    CHANGES,
    asks,
    cells,
    change,
    changed,
    confirm,
    last_change,
    messages,
    page,
    plain,
    revert,
    row,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return signed_in("operator")


def history(browser, key):
    return plain(browser.get(page("history", key)).text)


def test_the_history_of_a_key_shows_values_author_time_and_origin(browser):
    changed(browser, "stop_loss_pct", "7.5", description="wild week")
    at = last_change("stop_loss_pct").at

    assert f"{at:%Y-%m-%d %H:%M:%S} UTC just now 5.0 → 7.5 operator admin 127.0.0.1 Revert" in history(
        browser, "stop_loss_pct"
    )
    assert "5.0 → 7.5" not in history(browser, "daily_loss_limit_pct")


def test_the_history_shows_changes_outside_admin_and_marks_unchecked_ones(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="")
    text = browser.get(page("history", "stop_loss_pct")).text

    assert "5.0 → 4" in plain(text)
    assert "4 → (empty)" in plain(text)
    assert '<span class="source">program</span>' in text
    assert '<span class="source unchecked">SQL, unchecked</span>' in text


def test_django_s_own_log_says_old_and_new_too(browser):
    changed(browser, "stop_loss_pct", "7.5", description="wild week")
    changed(browser, "stop_loss_pct", "7.5", description="calm again")
    entries = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]

    assert entries == ["Changed 5.0 → 7.5 and description.", "Changed Description."]


def test_a_long_history_comes_in_pages(browser):
    for number in range(1, 61):
        SystemConfig.objects.set_value("ai_daily_call_limit", 100 + number)
    first = browser.get(page("history", "ai_daily_call_limit"))
    second = browser.get(page("history", "ai_daily_call_limit"), {"p": 2})

    assert "159 → 160" in plain(first.text)
    assert "101 → 102" not in plain(first.text)
    assert "101 → 102" in plain(second.text)
    assert 'aria-current="page">2</span>' in second.text


def test_the_page_of_a_setting_shows_its_last_changes(browser):
    for value in ("4", "3", "2", "1", "2.5", "1.5"):
        SystemConfig.objects.set_value("stop_loss_pct", value)
    text = plain(browser.get(page("change", "stop_loss_pct")).text)

    assert "2.5 → 1.5" in text
    assert "4 → 3" in text
    assert "5.0 → 4" not in text, "only the last five"
    assert "Full history and revert" in text


def test_all_changes_of_all_keys_are_listed_newest_first_and_can_be_narrowed(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    changed(browser, "ai_model", "another-model")
    listed = cells(browser.get(reverse(CHANGES)))

    assert [line[1:4] for line in listed[:2]] == [
        ["ai_model", "gemini-3.5-flash-lite → another-model", "operator admin 127.0.0.1"],
        ["stop_loss_pct", "5.0 → 4", "tradingsite program local"],
    ]
    for question in ({"key": "ai_model"}, {"source": "admin"}, {"actor": "operator"}, {"q": "another-model"}):
        found = cells(browser.get(reverse(CHANGES), question))
        assert found[0][1] == "ai_model", question
        assert not [line for line in found if line[1] == "stop_loss_pct"], question


def test_added_renamed_and_deleted_rows_read_as_such(browser):
    free = SystemConfig.objects.create(key="a_free_key", value="text")
    free.key = "another_key"
    free.save()
    free.delete()
    listed = [line[2] for line in cells(browser.get(reverse(CHANGES), {"q": "another_key"}))]

    assert listed == ["text → no row (deleted)", "text → text (a_free_key → another_key)"]
    added = [line[2] for line in cells(browser.get(reverse(CHANGES), {"key": "a_free_key"}))]
    assert added == ["no row → text"]


def test_a_change_can_be_read_and_not_be_edited_or_deleted(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    number = last_change("stop_loss_pct").pk
    address = reverse("admin:sysconfig_systemconfigchange_change", args=[number])

    assert browser.get(address).status_code == 200
    assert browser.post(address, {"new_value": "9"}).status_code == 403
    assert (
        browser.post(reverse("admin:sysconfig_systemconfigchange_delete", args=[number])).status_code == 403
    )
    assert browser.get(reverse("admin:sysconfig_systemconfigchange_add")).status_code == 403


def test_a_revert_asks_with_old_and_new_and_is_a_new_change(browser):
    change(browser, "stop_loss_pct", "4")
    number = last_change("stop_loss_pct").pk
    SystemConfig.objects.set_value("stop_loss_pct", "3")
    confirm_page = revert(browser, number)

    assert asks(confirm_page) == [("stop_loss_pct", "3", "5.0")]
    assert row("stop_loss_pct").value == "3"
    response = confirm(browser, confirm_page)
    assert messages(response) == [("success", "Reverted. stop_loss_pct: 3 → 5.0")]
    assert response.redirect_chain[-1][0] == page("history", "stop_loss_pct")
    done = last_change("stop_loss_pct")
    assert (done.old_value, done.new_value, done.source, done.actor) == ("3", "5.0", "admin", "operator")
    assert LogEntry.objects.latest("pk").get_change_message() == "Changed 3 → 5.0 and reverted."


def test_every_revert_needs_confirmation(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "7")

    assert asks(revert(browser, last_change("stop_loss_pct").pk)) == [("stop_loss_pct", "7", "5.0")]


def test_a_revert_needs_a_new_confirmation_after_a_concurrent_change(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    confirm_page = revert(browser, last_change("stop_loss_pct").pk)
    SystemConfig.objects.set_value("stop_loss_pct", "2")

    assert asks(confirm(browser, confirm_page)) == [("stop_loss_pct", "2", "5.0")]
    assert row("stop_loss_pct").value == "2"


def test_a_revert_to_the_stored_value_changes_nothing(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    number = last_change("stop_loss_pct").pk
    SystemConfig.objects.set_value("stop_loss_pct", "5.0")

    assert messages(revert(browser, number)) == [("info", "stop_loss_pct is 5.0 already.")]


def test_a_revert_that_a_limit_forbids_says_why(browser):
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="99")
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    response = revert(browser, last_change("stop_loss_pct").pk)

    assert messages(response) == [
        ("error", "Not reverted. stop_loss_pct: '99' is refused: must be between 0.1 and 50")
    ]
    assert row("stop_loss_pct").value == "4"


def test_a_revert_that_has_nothing_to_put_back_says_why(browser):
    SystemConfig.objects.create(key="a_free_key", value="text")
    ((level, text),) = messages(revert(browser, last_change("a_free_key").pk))

    assert level == "error"
    assert "a_free_key had no row before it" in text


def test_a_deleted_row_comes_back_by_a_revert(browser):
    SystemConfig.objects.create(key="a_free_key", value="text").delete()
    confirm_page = revert(browser, last_change("a_free_key").pk)

    assert asks(confirm_page) == [("a_free_key", None, "text")]
    confirm(browser, confirm_page)
    assert row("a_free_key").value == "text"


def test_a_revert_of_a_row_that_is_gone_leads_to_the_list_of_changes(browser):
    free = SystemConfig.objects.create(key="a_free_key", value="text")
    SystemConfig.objects.set_value("a_free_key", "other")
    number = last_change("a_free_key").pk
    free.delete()
    response = revert(browser, number)

    assert "has no row any more" in messages(response)[0][1]
    assert response.redirect_chain[-1][0] == reverse(CHANGES, query={"key": "a_free_key"})


def test_a_user_with_view_permission_sees_the_history_and_can_not_revert(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    number = last_change("stop_loss_pct").pk
    viewer = signed_in("viewer", "view_systemconfig")

    for address in (page("history", "stop_loss_pct"), reverse(CHANGES)):
        assert "5.0 → 4" in plain(viewer.get(address).text)
        assert "formaction" not in viewer.get(address).text
    assert revert(viewer, number).status_code == 403
    assert row("stop_loss_pct").value == "4"


def test_a_user_with_change_permission_may_revert():
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    editor = signed_in("editor", "change_systemconfig")

    confirm(editor, revert(editor, last_change("stop_loss_pct").pk))
    assert row("stop_loss_pct").value == "5.0"
    assert last_change("stop_loss_pct").actor == "editor"


def test_staff_without_a_permission_sees_no_history():
    other = signed_in("other", "view_halt")

    assert other.get(page("history", "stop_loss_pct")).status_code == 403
    assert other.get(reverse(CHANGES)).status_code == 403


def test_a_revert_needs_the_token_against_other_sites(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    browser.handler.enforce_csrf_checks = True

    assert revert(browser, last_change("stop_loss_pct").pk).status_code == 403


def test_the_address_of_a_revert_alone_changes_nothing_and_leads_to_the_history(browser):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    response = browser.get(reverse("admin:sysconfig_revert", args=[last_change("stop_loss_pct").pk]))

    assert response.url == page("history", "stop_loss_pct")
    assert row("stop_loss_pct").value == "4"
    assert revert(browser, 10**12).status_code == 404


def test_a_deletion_in_admin_is_recorded_with_its_author(browser):
    free = SystemConfig.objects.create(key="a_free_key", value="text")
    browser.post(reverse("admin:sysconfig_systemconfig_delete", args=[free.pk]), {"post": "yes"})

    assert (last_change("a_free_key").action, last_change("a_free_key").actor) == ("delete", "operator")


def test_behind_a_proxy_the_history_has_the_address_that_the_proxy_saw(browser, settings):
    settings.SYSCONFIG_CLIENT_ADDRESS = "tradingsite.proxy.client_address"
    browser.defaults["HTTP_X_FORWARDED_FOR"] = "10.9.9.9, 203.0.113.7"
    change(browser, "stop_loss_pct", "4")

    assert last_change("stop_loss_pct").origin == "203.0.113.7"
