"""The drawing and the panels around it, as a browser shows them."""

import pytest
from playwright.sync_api import expect

from healthcheck.engine.engine import forget_engine
from tests.browser import scenes
from tests.browser.looks import fits

pytestmark = pytest.mark.usefixtures("a_good_day")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [1280, 320])
def test_the_drawing_can_be_seen_and_named_without_javascript(visit, operator, width, language):
    page = visit(user=operator, width=width, language=language, javascript=False)
    drawing = page.get_by_role("img", name="KRW-BTC")

    assert drawing.bounding_box()["width"] > 0.3 * width
    line = page.locator(".drawing .line").bounding_box()
    assert line["width"] > 250
    assert line["height"] > 100
    for kind, number in {"BUY": 4, "bid": 2, "ask": 1}.items():
        expect(page.locator(f"[data-mark={kind}]")).to_have_count(number)
    assert page.locator("[data-mark=bid] .filled").first.bounding_box()["width"] >= 14


def test_every_mark_stands_within_the_drawing(visit, operator):
    page = visit(user=operator, width=320)
    drawing = page.locator(".drawing").bounding_box()

    for mark in page.locator("[data-mark] > :first-child").all():
        box = mark.bounding_box()
        assert drawing["x"] - 8 <= box["x"] <= drawing["x"] + drawing["width"] + 8
        assert drawing["y"] - 1 <= box["y"] <= drawing["y"] + 244


def test_the_table_of_marks_stays_open_while_the_page_follows(visit, operator):
    page = visit(user=operator, timers="by hand")
    page.locator(".chart summary").click()
    with page.expect_response("**/status/fragment/"):
        forget_engine()
        page.clock.run_for(5_000)

    expect(page.locator("[data-component] .state").first).to_be_visible()
    expect(page.locator(".chart table")).to_be_visible()
    assert page.locator(".chart details").evaluate("details => details.open")


def test_an_order_and_its_signal_are_one_click_away(visit, operator):
    page = visit(user=operator)
    page.locator("[data-order][data-state=OPEN] a").click()
    expect(page.locator("#content h1")).to_be_visible()
    page.go_back()
    page.locator("[data-signal=HOLD] th a").first.click()
    expect(page.locator("#content h1")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_halted_trader_says_so_first(visit, operator, language):
    scenes.halted()
    page = visit(user=operator, language=language)

    expect(page.locator("[data-trading=halted]")).to_contain_text("exchange maintenance at 3")
    trading, components = page.locator("[data-trading]"), page.locator("#components")
    assert trading.bounding_box()["y"] < components.bounding_box()["y"]
    assert fits(page, f"halted-{language}") == [1280, 375, 320]
