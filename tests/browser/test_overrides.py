"""An operator rehearses a failure from admin to the status page, and ends it."""

import pytest
from playwright.sync_api import expect

from healthcheck.engine.engine import forget_engine
from healthcheck.models import HealthOverride
from tests.browser.looks import photograph
from tests.healthcheck.imposing import impose

LIST = "/admin/healthcheck/healthoverride/"


@pytest.mark.usefixtures("a_good_day")
def test_rehearsal_starts_shows_on_the_status_page_and_ends(visit, operator):
    page = visit(f"{LIST}add/", user=operator)
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


def test_override_pages_fit_and_pass_axe(visit, look, operator, view):
    impose("maintenance", "upbit_api")
    impose("fail", "gemini_api")
    page = visit(LIST, user=operator, **view)

    look(page, f"override-list-{view['language']}")
    page.goto(f"{LIST}add/")
    look(page, f"override-add-{view['language']}")
