"""Two people edit one setting: no value is replaced that its editor has not seen."""

import re

import pytest

from sysconfig.admin_pages.edit_conflict import FormBase
from sysconfig.admin_pages.forms import SystemConfigForm
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from tests.sysconfig.admin_pages.admin_desk import (
    asks,
    change,
    changed,
    confirm,
    opened,
    plain,
    refusals,
    row,
    send,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def first():
    return signed_in("first")


@pytest.fixture
def second():
    return signed_in("second")


def notice(response):
    found = re.search(r'<div class="notice" role="alert">(.*?)</div>\s*<div>', response.text, re.DOTALL)
    return plain(found[1]) if found else None


def test_a_concurrent_edit_is_shown_and_replaced_only_when_sent_again(first, second):
    form = opened(second, "stop_loss_pct")
    change(first, "stop_loss_pct", "4")
    response = send(second, "stop_loss_pct", {**form, "value": "3"})

    assert row("stop_loss_pct").value == "4"
    assert refusals(response) == ["Nothing was saved: this setting changed meanwhile."]
    said = notice(response)
    assert "This setting changed while you were editing it Value 5.0 → 4" in said
    assert "5.0 → 4 first admin 127.0.0.1" in said
    assert response.context["adminform"].form["value"].value() == "3"

    again = {**form, "value": "3", "base": response.context["adminform"].form.base.token}
    assert notice(send(second, "stop_loss_pct", again)) is None
    assert row("stop_loss_pct").value == "3"


def test_the_notice_lists_every_change_since_the_form_was_opened_and_none_before(first, second):
    change(first, "stop_loss_pct", "4.5")
    form = opened(second, "stop_loss_pct")
    change(first, "stop_loss_pct", "4")
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="3")
    response = send(second, "stop_loss_pct", {**form, "value": "2"})
    changes = response.context["adminform"].form.conflict.changes

    assert [(line.change.old_value, line.change.new_value) for line in changes] == [("4", "3"), ("4.5", "4")]
    assert "SQL, unchecked" in notice(response)


def test_a_conflict_is_shown_together_with_a_wrong_value(first, second):
    form = opened(second, "stop_loss_pct")
    change(first, "stop_loss_pct", "4")
    response = send(second, "stop_loss_pct", {**form, "value": "99"})

    assert notice(response)
    assert response.context["adminform"].form.errors["value"]
    assert row("stop_loss_pct").value == "4"


def test_a_wrong_value_does_not_hide_a_later_conflict(first, second):
    response = change(second, "stop_loss_pct", "99")
    change(first, "stop_loss_pct", "4")
    kept = response.context["adminform"].form.base.token

    assert notice(send(second, "stop_loss_pct", {"base": kept, "value": "3", "description": ""}))
    assert row("stop_loss_pct").value == "4"


def test_a_description_is_not_replaced_unseen(first, second):
    form = opened(second, "stop_loss_pct")
    change(first, "stop_loss_pct", "5.0", description="two lines,\r\nto be kept")
    response = send(second, "stop_loss_pct", {**form, "value": "4"})

    assert "Description → two lines, to be kept" in notice(response)
    assert row("stop_loss_pct").value == "5.0"


def test_a_value_of_several_lines_is_no_conflict(second):
    SystemConfig.objects.create(key="a_free_key", value="one\ntwo", description="three\nfour")

    change(second, "a_free_key", "five")
    assert row("a_free_key").value == "five"


@pytest.mark.parametrize("text", ["one\ntwo\n", "one\r\ntwo", "  indented", ""])
def test_a_new_description_leaves_the_value_as_it_is_to_the_last_blank(second, text):
    SystemConfig.objects.create(key="a_free_key", value=text)

    sent = text.replace("\r\n", "\n").replace("\n", "\r\n")  # as a browser ends lines
    change(second, "a_free_key", sent, description="What it is for")
    assert (row("a_free_key").value, row("a_free_key").description) == (text, "What it is for")
    assert SystemConfigChange.objects.of("a_free_key").count() == 1


def test_lines_typed_into_a_form_end_as_lines_of_text_do(second):
    SystemConfig.objects.create(key="a_free_key", value="one")

    change(second, "a_free_key", "one\r\ntwo")
    assert row("a_free_key").value == "one\ntwo"


@pytest.mark.parametrize("base", [None, "", "not one of ours"])
def test_a_form_without_its_base_is_refused_and_can_be_sent_again(second, base):
    form = {"value": "4", "description": ""} | ({} if base is None else {"base": base})
    response = send(second, "stop_loss_pct", form)

    assert row("stop_loss_pct").value == "5.0"
    assert "This form did not say which value it replaces The table holds 5.0 now." in notice(response)
    send(second, "stop_loss_pct", {**form, "base": response.context["adminform"].form.base.token})
    assert row("stop_loss_pct").value == "4"


def test_a_change_between_question_and_answer_is_seen(first, second):
    confirm_page = change(second, "stop_loss_pct", "6")
    change(first, "stop_loss_pct", "4")
    response = confirm(second, confirm_page)

    assert "5.0 → 4 first admin" in notice(response)
    assert row("stop_loss_pct").value == "4"
    assert response.context["adminform"].form["value"].value() == "6"
    base = response.context["adminform"].form.base.token
    confirm_page = send(second, "stop_loss_pct", {"base": base, "value": "6", "description": ""})
    assert asks(confirm_page) == [("stop_loss_pct", "4", "6")]


def test_a_setting_that_was_renamed_meanwhile_is_not_saved_under_its_old_name():
    stale = SystemConfig.objects.create(key="a_free_key", value="text")
    fields = {"key": "a_free_key", "value": "mine", "description": "", "base": FormBase.of(stale).token}
    SystemConfig.objects.filter(pk=stale.pk).update(key="another")
    form = SystemConfigForm(fields, instance=stale)

    assert form.non_field_errors() == ["This setting was deleted or renamed meanwhile. Nothing was saved."]


def test_a_concurrent_rename_is_a_conflict(second):
    renamed = SystemConfig.objects.create(key="a_free_key", value="text")
    form = opened(second, "a_free_key")
    SystemConfig.objects.filter(pk=renamed.pk).update(key="another")
    response = send(second, "another", {**form, "value": "mine"})

    assert "Key a_free_key → another" in notice(response)
    assert row("another").value == "text"


def test_a_change_of_another_key_is_no_conflict(first, second):
    form = opened(second, "stop_loss_pct")
    changed(first, "max_exposure_pct", "40")

    assert notice(send(second, "stop_loss_pct", {**form, "value": "4"})) is None
    assert row("stop_loss_pct").value == "4"
