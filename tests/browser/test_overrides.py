"""An operator rehearses a failure from admin to the status page, and ends it."""

import pytest
from playwright.sync_api import expect

from healthcheck.engine.engine import forget_engine
from healthcheck.models import HealthOverride
from tests.browser.looks import fits, photograph
from tests.healthcheck.imposing import impose

LIST = "/admin/healthcheck/healthoverride/"


@pytest.mark.usefixtures("a_good_day")
def test_a_rehearsal_is_begun_seen_and_ended(visit, operator):
    page = visit(f"{LIST}add/", user=operator)
    photograph(page, "override-add-en")
    page.get_by_label("Component").select_option("gemini_api")
    page.get_by_label("Kind").select_option("fail")
    page.get_by_label("For how many minutes").fill("61")
    page.get_by_label("Reason").fill("who is paged?")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_contain_text("61 minutes are too many for rehearsal: fail")
    page.get_by_label("For how many minutes").fill("10")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("who is paged?")
    photograph(page, "override-list-en")

    forget_engine()
    page.goto("/status/")
    row = page.locator("[data-component=gemini_api]")
    expect(row).to_have_attribute("data-status", "unhealthy")
    expect(row.locator(".imposed")).to_have_text("Rehearsal")
    expect(row).to_contain_text("(operator): who is paged?")

    page.goto(LIST)
    page.locator(".action-select").first.check()
    page.get_by_label("Action:").select_option("end_now")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("1 ended.")
    assert HealthOverride.objects.get().ended_by == "operator"


@pytest.mark.usefixtures("a_good_day")
def test_what_is_imposed_fits_every_screen(visit, operator):
    impose("maintenance", "upbit_api")
    impose("fail", "gemini_api")
    forget_engine()
    page = visit(user=operator)

    expect(page.locator(".imposed")).to_have_text(["Maintenance", "Rehearsal"])
    assert fits(page, "status-imposed-en") == [1280, 375, 320]
