import re

import pytest
from playwright.sync_api import expect

from healthcheck.report import component_names
from tests.browser import scenes
from tests.browser.looks import fits, photograph

WORDS = {"en": ("All is well", "Healthy"), "ko": ("모두 정상", "정상")}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.usefixtures("a_good_day")
def test_one_look_says_that_all_is_well(visit, operator, language):
    page = visit(user=operator, language=language)
    headline, word = WORDS[language]

    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("heading", level=1)).to_have_text(headline)
    expect(page.locator("[data-component] .state")).to_have_text([word] * 6)
    expect(page.locator("[data-component] th .code")).to_have_text(component_names())
    assert fits(page, f"well-{language}") == [1280, 375, 320]


@pytest.mark.parametrize(("language", "culprits"), [("en", "Upbit API"), ("ko", "업비트 API")])
def test_one_look_says_what_is_not_well(visit, operator, language, culprits):
    scenes.at_work()
    scenes.halted()
    scenes.a_job_fails()
    page = visit(user=operator, language=language)

    expect(page.locator(".verdict.unhealthy h1")).to_contain_text(culprits)
    expect(page.locator(".verdict li")).to_have_count(4)
    expect(page.locator("[data-component=upbit_api]")).to_have_attribute("data-status", "unhealthy")
    expect(page.locator("[data-halt=operator]")).to_contain_text("exchange maintenance at 3")
    expect(page.locator("[data-job=collect_market_data]")).to_contain_text("3")
    assert fits(page, f"unwell-{language}") == [1280, 375, 320]


def test_a_fresh_site_says_that_there_is_no_signal_and_no_order_yet(visit, operator, exchange):
    scenes.at_work()
    page = visit(user=operator)
    photograph(page, "fresh-1280-en")

    expect(page.locator("h1")).to_have_text("Degraded: Recent signal")
    expect(page.locator("[data-component=recent_signal]")).to_contain_text("no signal yet")
    expect(page.locator("[data-component=recent_order]")).to_contain_text("no order yet")
    for nothing in ("No signal yet.", "No order is open.", "The account has not been read yet."):
        expect(page.get_by_text(nothing)).to_be_visible()


def test_anyone_sees_states_and_a_way_to_sign_in_but_no_messages(visit, a_good_day):
    page = visit()

    assert fits(page, "anyone-en") == [1280, 375, 320]
    expect(page.locator("[data-component] .state")).to_have_count(6)
    expect(
        page.locator(".message, [data-job], [data-market], [data-halt], .figures, svg.drawing")
    ).to_have_count(0)
    expect(page.get_by_text(re.compile(r"\d ms"))).to_have_count(0)
    page.get_by_role("navigation").get_by_role("link", name="Sign in").click()
    page.get_by_label("Username").wait_for()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_works_without_javascript(visit, operator, a_good_day, language):
    page = visit(user=operator, language=language, javascript=False, width=375)
    photograph(page, f"no-javascript-375-{language}")

    expect(page.locator("h1")).to_have_text(WORDS[language][0])
    expect(page.locator("meta[http-equiv=refresh]")).to_have_attribute("content", "5")
    expect(page.locator(".measured time")).to_contain_text("UTC")
    expect(page.locator("#lost")).to_be_hidden()


def test_the_language_is_switched_by_hand_and_kept(visit, a_good_day):
    page = visit(javascript=False)
    page.get_by_role("button", name="한국어").click()

    expect(page.locator("h1")).to_have_text("모두 정상")
    page.goto("/admin/")
    expect(page.locator("html")).to_have_attribute("lang", "ko")


def test_the_keyboard_reaches_the_content_first(visit, a_good_day):
    page = visit()
    page.keyboard.press("Tab")

    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_printed_page_has_the_report_and_no_controls(visit, operator, a_good_day):
    page = visit(user=operator)
    page.emulate_media(media="print")
    photograph(page, "print-1280-en")

    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".language")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_address_that_does_not_exist_leads_back(visit, language):
    page = visit("/nothing/here/", language=language)
    photograph(page, f"404-1280-{language}")

    page.locator("main a").click()
    page.wait_for_url("**/status/")


def test_times_are_the_viewers_from_the_first_refresh_on(visit):
    page = visit(zone="Europe/Berlin", timers="by hand")
    page.clock.run_for(6000)

    expect(page.locator(".measured time")).to_contain_text(re.compile(r"CES?T · .*UTC"))
