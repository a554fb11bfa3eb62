"""Admin: signing in, the setting and its history, and a look at every list."""

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import expect

from sysconfig.models import SystemConfig
from tests.browser.looks import overflowing, photograph

LIST = "/admin/sysconfig/systemconfig/"


def test_login_page_fits_and_passes_axe(visit, look, view):
    page = visit(f"/admin/login/?next={LIST}", **view)

    look(page, f"login-{view['language']}")


def test_operator_signs_in_changes_a_setting_and_finds_it_in_its_history(visit, operator):
    page = visit(f"/admin/login/?next={LIST}")
    page.locator("#id_username").fill("operator")
    page.locator("#id_password").fill("a long password")
    page.locator("[type=submit]").last.click()
    page.wait_for_url(f"**{LIST}")
    page.get_by_role("link", name="volatility_threshold_pct").click()
    photograph(page, "setting-1280-en")
    page.locator("[name=value]").fill("2.5")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.locator(".messagelist .success")).to_be_visible()
    assert str(SystemConfig.objects.get_value("volatility_threshold_pct")) == "2.5"
    page.get_by_role("link", name="volatility_threshold_pct").first.click()
    page.locator(".historylink").click()
    photograph(page, "history-1280-en")
    expect(page.locator("#change-history")).to_contain_text("3.0 → 2.5")
    expect(page.locator("#change-history")).to_contain_text("operator")


@pytest.mark.slow
def test_refusal_of_a_wrong_value_is_shown_in_korean(visit, operator):
    page = visit(LIST, user=operator, language="ko")
    page.get_by_role("link", name="volatility_threshold_pct").click()
    page.locator("[name=value]").fill("99")
    page.locator("[name=_save]").click()
    photograph(page, "refused-1280-ko")

    expect(page.locator(".errorlist").last).to_contain_text(
        "volatility_threshold_pct: '99' 거부됨: 0.1 이상 50 이하여야 함"
    )
    assert str(SystemConfig.objects.get_value("volatility_threshold_pct")) == "3.0"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_admin_fits_all_widths_and_links_to_the_status_page(visit, operator, language):
    page = visit(LIST, user=operator, language=language)

    assert overflowing(page, f"settings-{language}") == []
    page.locator("#user-tools a").first.click()
    page.wait_for_url("**/status/")


def test_no_list_in_admin_causes_console_errors(visit, operator):
    page = visit("/admin/", user=operator)
    photograph(page, "admin-1280-en")
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        page.goto(reverse(name))
        expect(page.locator("#content h1")).to_be_visible()
