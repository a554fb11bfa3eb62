"""The status page on good and bad days, in every width, both colour schemes and both languages."""

import re

import pytest
from playwright.sync_api import expect

from healthcheck.engine.engine import forget_engine
from healthcheck.report import component_names
from tests.browser import past, scenes
from tests.browser.looks import overflowing, photograph
from tests.browser.visitor import NARROWEST, PHONE, size
from tests.healthcheck.imposing import impose

WORDS = {"en": ("All is well", "Healthy"), "ko": ("모두 정상", "정상")}
CULPRITS = {"en": "Upbit API", "ko": "업비트 API"}


@pytest.mark.usefixtures("a_good_day")
def test_status_page_shows_a_good_day(visit, look, operator, view):
    past.plant()
    page = visit(user=operator, **view)

    expect_all_is_well(page, view["language"])
    look(page, f"well-{view['language']}")


@pytest.mark.usefixtures("a_good_day")
def test_korean_status_page_fits_all_widths_on_a_good_day(visit, operator):
    page = visit(user=operator, language="ko")

    expect_all_is_well(page, "ko")
    assert overflowing(page, "well-ko") == []


def expect_all_is_well(page, language):
    headline, word = WORDS[language]
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("heading", level=1)).to_have_text(headline)
    expect(page.locator("[data-component] .state")).to_have_text([word] * len(component_names()))
    expect(page.locator("[data-component] th .code")).to_have_text(component_names())


@pytest.fixture
def a_bad_day(transactional_db):
    scenes.at_work()
    scenes.halted()
    scenes.a_job_fails()


@pytest.mark.usefixtures("a_bad_day")
def test_status_page_shows_what_is_wrong_on_a_bad_day(visit, look, operator, view):
    page = visit(user=operator, **view)

    expect_trouble(page, view["language"])
    look(page, f"unwell-{view['language']}")


@pytest.mark.usefixtures("a_bad_day")
def test_korean_status_page_fits_all_widths_on_a_bad_day(visit, operator):
    page = visit(user=operator, language="ko")

    expect_trouble(page, "ko")
    assert overflowing(page, "unwell-ko") == []


def expect_trouble(page, language):
    expect(page.locator(".verdict.unhealthy h1")).to_contain_text(CULPRITS[language])
    expect(page.locator(".verdict li")).to_have_count(4)
    expect(page.locator("[data-component=upbit_api]")).to_have_attribute("data-status", "unhealthy")
    expect(page.locator("[data-halt=operator]")).to_contain_text("exchange maintenance at 3")
    expect(page.locator("[data-job=collect_market_data]")).to_contain_text("3")


@pytest.mark.usefixtures("a_good_day")
def test_status_page_marks_maintenance_and_rehearsals(visit, look, operator, view):
    impose("maintenance", "upbit_api")
    impose("fail", "gemini_api")
    forget_engine()
    page = visit(user=operator, **view)

    expect(page.locator(".imposed")).to_have_count(2)
    if view["language"] == "en":
        expect(page.locator(".imposed")).to_have_text(["Maintenance", "Rehearsal"])
    look(page, f"status-imposed-{view['language']}")


def test_new_site_shows_no_signal_and_no_order(visit, operator, exchange):
    scenes.at_work()
    page = visit(user=operator)
    photograph(page, "fresh-1280-en")

    expect(page.locator("h1")).to_have_text("Degraded: Recent signal")
    expect(page.locator("[data-component=recent_signal]")).to_contain_text("no signal yet")
    expect(page.locator("[data-component=recent_order]")).to_contain_text("no order yet")
    for nothing in ("No signal yet.", "No order is open.", "The account has not been read yet."):
        expect(page.get_by_text(nothing)).to_be_visible()


@pytest.mark.usefixtures("a_good_day")
@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.slow)])
def test_anonymous_visitor_sees_states_but_no_messages(visit, look, language):
    page = visit(width=PHONE, language=language)

    expect(page.locator("[data-component] .state")).to_have_count(len(component_names()))
    expect(
        page.locator(".message, [data-job], [data-market], [data-halt], .figures, svg.drawing")
    ).to_have_count(0)
    expect(page.get_by_text(re.compile(r"\d ms"))).to_have_count(0)
    look(page, f"anyone-{language}")
    page.get_by_role("navigation").locator("a[href*=login]").click()
    page.locator("#id_username").wait_for()


@pytest.mark.usefixtures("a_good_day")
@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.slow)])
def test_status_page_works_without_javascript(visit, operator, language):
    page = visit(user=operator, language=language, javascript=False, width=PHONE)
    photograph(page, f"no-javascript-375-{language}")

    expect(page.locator("h1")).to_have_text(WORDS[language][0])
    expect(page.locator("meta[http-equiv=refresh]")).to_have_attribute("content", "5")
    expect(page.locator(".measured time")).to_contain_text("UTC")
    expect(page.locator("#lost")).to_be_hidden()


def test_chosen_language_is_kept(visit, a_good_day):
    page = visit(javascript=False)
    page.get_by_role("button", name="한국어").click()

    expect(page.locator("h1")).to_have_text("모두 정상")
    page.goto("/admin/")
    expect(page.locator("html")).to_have_attribute("lang", "ko")


def test_first_tab_stop_skips_to_the_content(visit, a_good_day):
    page = visit()
    page.keyboard.press("Tab")

    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_printed_page_has_the_report_and_no_controls(visit, operator, a_good_day):
    page = visit(user=operator)
    page.emulate_media(media="print")
    photograph(page, "print-1280-en")

    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".language")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.slow)])
def test_page_not_found_links_to_the_status_page(visit, language):
    page = visit("/nothing/here/", language=language)
    photograph(page, f"404-1280-{language}")

    page.locator("main a").click()
    page.wait_for_url("**/status/")


def test_times_are_in_the_viewers_zone_after_the_first_refresh(visit):
    page = visit(zone="Europe/Berlin", timers="by hand")
    page.clock.run_for(6000)

    expect(page.locator(".measured time")).to_contain_text(re.compile(r"CES?T · .*UTC"))


@pytest.fixture
def a_day_of_jobs(transactional_db):
    scenes.a_day_of_jobs()


@pytest.mark.usefixtures("a_day_of_jobs")
def test_jobs_on_the_status_page_each_have_a_strip(visit, look, operator, view):
    page = visit(user=operator, **view)

    expect_strips(page)
    look(page, f"jobs-{view['language']}")


@pytest.mark.usefixtures("a_day_of_jobs")
def test_jobs_on_the_korean_status_page_fit_all_widths(visit, operator):
    page = visit(user=operator, language="ko")

    expect_strips(page)
    assert overflowing(page, "jobs-ko") == []


def expect_strips(page):
    before = page.viewport_size
    expect(page.locator("[data-job] svg.strip")).to_have_count(5)
    if before["width"] > PHONE:
        for note in page.locator("[data-job] .number .note").all():
            assert note.bounding_box()["height"] < 24, "p50 and p95 stand on one line"
        right_edge = "element => element.getBoundingClientRect().right"
        table = page.locator("table.jobs")
        overflow_px = table.evaluate(right_edge) - table.locator("..").evaluate(right_edge)
        assert overflow_px <= 0, "the table is wider than its panel"
    page.set_viewport_size(size(NARROWEST))
    for strip in page.locator("[data-job] svg.strip").all():
        assert strip.bounding_box()["width"] > 240
        assert strip.bounding_box()["x"] + strip.bounding_box()["width"] <= NARROWEST
    page.set_viewport_size(before)
