import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from healthcheck.engine.engine import forget_engine
from tests.browser import scenes
from tests.browser.looks import photograph

FRAGMENT = "**/status/fragment/"


def let_5_s_pass(page):
    forget_engine()  # on the server they have passed too
    page.clock.run_for(5_000)


@pytest.fixture
def page(visit, operator, a_good_day):
    return visit(user=operator, timers="by hand")


def test_the_page_follows_without_being_loaded_again(page):
    expect(page.locator("#follow")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    scenes.unanswered()
    scenes.halted()
    let_5_s_pass(page)

    expect(page.locator("h1")).to_have_text("Degraded: Recent order")
    expect(page.locator("[data-halt=volatility]").first).to_contain_text("moved 3.42 % in 5 min, limit 3 %")
    expect(page).to_have_title("Degraded: Recent order | Trading control room")
    expect(page.locator("#favicon")).to_have_attribute("href", "/static/healthcheck/favicon-degraded.svg")
    assert page.evaluate("window.loadedOnce")


def test_a_reader_hears_of_changes_and_of_nothing_else(page):
    said = page.locator("#said")
    page.evaluate(
        "window.heard = [];"
        "new MutationObserver(() => heard.push(document.getElementById('said').textContent))"
        ".observe(document.getElementById('said'), {childList: true})"
    )
    with page.expect_response(FRAGMENT):
        let_5_s_pass(page)
    expect(said).to_be_empty()
    scenes.unanswered()
    for _ in range(3):
        with page.expect_response(FRAGMENT):
            let_5_s_pass(page)

    expect(said).to_have_text("Degraded: Recent order")
    assert page.evaluate("heard") == ["Degraded: Recent order"]


def test_selected_text_survives_a_refresh(page):
    page.locator("[data-component=upbit_api] .code").select_text()
    with page.expect_response(FRAGMENT):
        let_5_s_pass(page)
    page.wait_for_function("document.getElementById('report').getAnimations().length === 0")

    assert page.evaluate("getSelection().toString()") == "upbit_api"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_silent_server_greys_the_page_out_until_it_answers(visit, operator, a_good_day, language):
    page = visit(user=operator, timers="by hand", language=language)
    page.route(FRAGMENT, lambda route: route.abort())
    page.clock.run_for(5_000)

    expect(page.locator("#lost")).to_be_visible()
    expect(page.locator("#report")).to_have_class("report old")
    page.clock.run_for(20_000)
    photograph(page, f"lost-1280-{language}")
    titled, silent = {
        "en": (
            "Not up to date: All is well | Trading control room",
            re.compile("does not answer. Below is what it said 2[5-9] s ago"),
        ),
        "ko": ("갱신 중단: 모두 정상 | 트레이딩 관제실", re.compile("서버 응답 없음. 아래는 2[5-9]초 전")),
    }[language]
    expect(page).to_have_title(titled)
    expect(page.locator("#lost")).to_contain_text(silent)
    expect(page.locator("#follow")).to_be_hidden()

    page.unroute(FRAGMENT)
    page.clock.run_for(5_000)
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("#report")).to_have_class("report")
    expect(page.locator("#follow")).to_be_visible()
    visit.forgive("net::ERR_FAILED")


def test_an_error_page_is_not_taken_for_a_report(page, visit):
    page.route(FRAGMENT, lambda route: route.fulfill(status=500, body="<h1>Server Error (500)</h1>"))
    page.clock.run_for(5_000)

    expect(page.locator("#lost")).to_contain_text("answers with an error")
    expect(page.locator("h1")).to_have_text("All is well")
    visit.forgive("status of 500")


def test_a_computer_that_wakes_up_shows_nothing_old_as_if_it_were_new(page):
    waiting = []

    def hold(route):
        waiting.append(route)

    page.route(FRAGMENT, hold)
    page.clock.fast_forward(40_000)

    expect(page.locator("#lost")).to_contain_text(re.compile("The last measurement is 4[0-9] s old"))
    waiting[0].continue_()
    expect(page.locator("#lost")).to_be_hidden()


def test_who_is_signed_out_meanwhile_gets_the_page_for_everybody(page):
    Session.objects.all().delete()
    page.clock.run_for(5_000)

    expect(page.get_by_role("navigation").get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.locator(".message")).to_have_count(0)
