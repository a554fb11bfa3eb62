"""The status page keeps itself up to date and says so when it cannot. Its clock moves only by hand."""

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from healthcheck.engine.engine import forget_engine
from tests.browser import scenes
from tests.browser.looks import photograph

FRAGMENT = "**/status/fragment/"


def refresh(page):
    """Let 5 s pass, and wait until the page has taken the server's answer."""
    forget_engine()  # the server keeps a report for as long
    page.evaluate("document.querySelector('#report > *').dataset.old = ''")  # not in the server's answer
    page.clock.run_for(5_000)
    page.locator("#report > [data-old]").wait_for(state="detached")


@pytest.fixture
def page(visit, operator, a_good_day):
    return visit(user=operator, timers="by hand")


def test_page_shows_a_change_without_a_reload(page):
    expect(page.locator("#follow")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    scenes.decision_without_order()
    scenes.halted()
    refresh(page)

    expect(page.locator("h1")).to_have_text("Degraded: Recent order")
    expect(page.locator("[data-halt=volatility]").first).to_contain_text("moved 3.42 % in 5 min, limit 3 %")
    expect(page).to_have_title("Degraded: Recent order | Trading control room")
    expect(page.locator("#favicon")).to_have_attribute("href", "/static/healthcheck/favicon-degraded.svg")
    assert page.evaluate("window.loadedOnce")


def test_screen_reader_announces_changes_only(page):
    said = page.locator("#said")
    page.evaluate(
        "window.heard = [];"
        "new MutationObserver(() => heard.push(document.getElementById('said').textContent))"
        ".observe(document.getElementById('said'), {childList: true})"
    )
    refresh(page)
    expect(said).to_be_empty()
    scenes.decision_without_order()
    for _ in range(3):
        refresh(page)

    expect(said).to_have_text("Degraded: Recent order")
    assert page.evaluate("heard") == ["Degraded: Recent order"]


def test_refresh_keeps_the_selected_text(page):
    page.locator("[data-component=upbit_api] .code").select_text()
    refresh(page)
    page.wait_for_function("document.getElementById('report').getAnimations().length === 0")

    assert page.evaluate("getSelection().toString()") == "upbit_api"


def test_open_table_of_marks_stays_open_after_a_refresh(page):
    page.locator(".chart summary").click()
    refresh(page)

    expect(page.locator("[data-component] .state").first).to_be_visible()
    expect(page.locator(".chart table")).to_be_visible()
    assert page.locator(".chart details").evaluate("details => details.open")


@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.slow)])
def test_page_is_grey_while_the_server_does_not_answer(visit, operator, a_good_day, language):
    page = visit(user=operator, timers="by hand", language=language)
    page.route(FRAGMENT, lambda route: route.abort())
    page.clock.run_for(5_000)

    expect(page.locator("#lost")).to_be_visible()
    expect(page.locator("#report")).to_have_class("report old")
    page.clock.run_for(20_000)
    photograph(page, f"lost-1280-{language}")
    title, message = {
        "en": (
            "Not up to date: All is well | Trading control room",
            "does not answer. Below is what it said 25 s ago",
        ),
        "ko": ("갱신 중단: 모두 정상 | 트레이딩 관제실", "서버 응답 없음. 아래는 25초 전"),
    }[language]
    expect(page).to_have_title(title)
    expect(page.locator("#lost")).to_contain_text(message)
    expect(page.locator("#follow")).to_be_hidden()

    page.unroute(FRAGMENT)
    page.clock.run_for(5_000)
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("#report")).to_have_class("report")
    expect(page.locator("#follow")).to_be_visible()
    visit.forgive("net::ERR_FAILED")


def test_error_page_does_not_replace_the_report(page, visit):
    page.route(FRAGMENT, lambda route: route.fulfill(status=500, body="<h1>Server Error (500)</h1>"))
    page.clock.run_for(5_000)

    expect(page.locator("#lost")).to_contain_text("answers with an error")
    expect(page.locator("h1")).to_have_text("All is well")
    visit.forgive("status of 500")


def test_page_warns_of_old_data_when_the_computer_wakes_up(page):
    waiting = []

    def delay(route):
        waiting.append(route)

    page.route(FRAGMENT, delay)
    with page.expect_request(FRAGMENT):
        page.clock.fast_forward(40_000)

    expect(page.locator("#lost")).to_contain_text("The last measurement is 40 s old")
    waiting[0].continue_()
    expect(page.locator("#lost")).to_be_hidden()


def test_page_shows_the_public_report_after_signing_out_elsewhere(page):
    Session.objects.all().delete()
    page.clock.run_for(5_000)

    expect(page.get_by_role("navigation").get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.locator(".message")).to_have_count(0)
