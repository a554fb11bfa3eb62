"""The jobs in admin. How the status page shows them is in `test_status_page`."""

import pytest
from playwright.sync_api import expect

from tests.browser import scenes
from tests.browser.looks import photograph
from tradingsite.jobs.models import JobEvent, JobState

LIST = "/admin/jobs/jobstate/"
COLLECT = "collect_market_data"


@pytest.fixture(autouse=True)
def a_day_of_jobs(transactional_db):
    scenes.a_day_of_jobs()


def test_job_pages_fit_and_pass_axe(visit, look, operator, view):
    page = visit(LIST, user=operator, **view)
    expect(page.locator("#content tbody tr")).to_have_count(5)
    expect(page.locator("#content")).to_contain_text("trader-2:4343")
    look(page, f"admin-jobs-{view['language']}")

    page.goto(f"{LIST}check_volatility/change/")
    look(page, f"admin-job-{view['language']}")
    page.goto(f"{LIST}{COLLECT}/pause/now/")
    look(page, f"admin-pause-{view['language']}")


def test_job_is_paused_and_resumed_by_keyboard_without_javascript(visit, operator):
    page = visit(LIST, user=operator, javascript=False)
    page.get_by_role("link", name=f"Pause {COLLECT}").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/pause/now/")
    page.get_by_label("Why").focus()
    page.keyboard.type("odd prices")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Yes")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator(".messagelist .success")).to_contain_text(
        f"{COLLECT} is paused.", ignore_case=True
    )  # admin begins each message with a capital
    photograph(page, "admin-paused-1280")
    assert JobState.objects.get(job_name=COLLECT).pause_reason == "operator: odd prices"
    page.get_by_role("link", name=f"Resume {COLLECT}").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Yes").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist .success")).to_contain_text("runs again")
    assert JobEvent.objects.filter(job_name=COLLECT, by="operator").count() == 2


def test_second_run_request_is_refused_with_the_name_of_the_first_operator(visit, operator):
    page = visit(f"{LIST}{COLLECT}/run/now/", user=operator)
    page.get_by_role("button", name="Yes").click()
    expect(page.locator("#content")).to_contain_text("run requested by operator")

    page.goto(f"{LIST}{COLLECT}/run/now/")
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("alert")).to_contain_text("requested already, by operator")
    photograph(page, "admin-refused-1280")
