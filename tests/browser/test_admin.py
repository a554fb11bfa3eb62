import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import expect

from sysconfig.models import SystemConfig
from tests.browser.looks import fits, photograph

LIST = "/admin/sysconfig/systemconfig/"


@pytest.fixture
def signed_in(visit, operator):
    """An operator who has come in by the front door."""

    def sign_in(**options):
        page = visit(f"/admin/login/?next={LIST}", **options)
        photograph(page, f"login-{options.get('language', 'en')}-1280")
        page.locator("#id_username").fill("operator")
        page.locator("#id_password").fill("a long password")
        page.locator("[type=submit]").last.click()
        page.wait_for_url(f"**{LIST}")
        return page

    return sign_in


def test_a_setting_is_changed_and_the_history_says_from_what_to_what(signed_in):
    page = signed_in()
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


@pytest.mark.parametrize(
    ("language", "refusal"),
    [
        ("en", "volatility_threshold_pct: '99' is refused: must be between 0.1 and 50"),
        ("ko", "volatility_threshold_pct: '99' 거부됨: 0.1 이상 50 이하여야 함"),
    ],
    ids=["en", "ko"],
)
def test_a_wrong_value_is_refused_with_key_value_and_limit(signed_in, language, refusal):
    page = signed_in(language=language)
    page.get_by_role("link", name="volatility_threshold_pct").click()
    page.locator("[name=value]").fill("99")
    page.locator("[name=_save]").click()
    photograph(page, f"refused-1280-{language}")

    expect(page.locator(".errorlist").last).to_contain_text(refusal)
    assert str(SystemConfig.objects.get_value("volatility_threshold_pct")) == "3.0"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_admin_fits_every_screen_and_leads_to_the_status_page(signed_in, language):
    page = signed_in(language=language)

    assert fits(page, f"settings-{language}") == [1280, 375, 320]
    page.locator("#user-tools a").first.click()
    page.wait_for_url("**/status/")


def test_no_page_of_admin_complains(visit, operator):
    page = visit("/admin/", user=operator)
    photograph(page, "admin-1280-en")
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        page.goto(reverse(name))
        expect(page.locator("#content h1")).to_be_visible()
