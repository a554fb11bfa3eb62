"""The jobs, as a browser shows them: on the status page and in admin."""

import pytest
from playwright.sync_api import expect

from tests.browser import scenes
from tests.browser.looks import fits, photograph
from tradingsite.jobs.models import JobEvent, JobState

LIST = "/admin/jobs/jobstate/"
COLLECT = "collect_market_data"


@pytest.fixture(autouse=True)
def a_day_of_jobs(transactional_db):
    scenes.a_day_of_jobs()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_jobs_fit_every_screen_and_each_has_its_strip(visit, operator, language):
    page = visit(user=operator, language=language)

    expect(page.locator("[data-job] svg.strip")).to_have_count(5)
    for note in page.locator("[data-job] .number .note").all():
        assert note.bounding_box()["height"] < 24, "p50 and p95 stand on one line"
    table = page.locator("table.jobs")
    overflow = (
        "table => table.getBoundingClientRect().right - table.parentElement.getBoundingClientRect().right"
    )
    assert table.evaluate(overflow) <= 0, "the table stays within its panel"
    assert fits(page, f"jobs-{language}") == [1280, 375, 320]
    for strip in page.locator("[data-job] svg.strip").all():
        assert strip.bounding_box()["width"] > 240
        assert strip.bounding_box()["x"] + strip.bounding_box()["width"] <= 320


@pytest.mark.parametrize("language", ["en", "ko"])
def test_admin_s_jobs_fit_every_screen(visit, operator, language):
    page = visit(LIST, user=operator, language=language)
    expect(page.locator("#content tbody tr")).to_have_count(5)
    expect(page.locator("#content")).to_contain_text("trader-2:4343")
    assert fits(page, f"admin-jobs-{language}") == [1280, 375, 320]

    page.goto(f"{LIST}check_volatility/change/")
    assert fits(page, f"admin-job-{language}") == [1280, 375, 320]
    page.goto(f"{LIST}{COLLECT}/pause/now/")
    assert fits(page, f"admin-pause-{language}") == [1280, 375, 320]


def test_a_job_is_paused_and_resumed_by_keyboard_alone_and_without_javascript(visit, operator):
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


def test_a_run_that_is_asked_for_is_shown_with_who_asked_and_a_second_one_refused(visit, operator):
    page = visit(f"{LIST}{COLLECT}/run/now/", user=operator)
    page.get_by_role("button", name="Yes").click()
    expect(page.locator("#content")).to_contain_text("run requested by operator")

    page.goto(f"{LIST}{COLLECT}/run/now/")
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("alert")).to_contain_text("requested already, by operator")
    photograph(page, "admin-refused-1280")
