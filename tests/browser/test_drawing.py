"""The drawing of prices and trades, and the trading panels around it."""

import pytest
from playwright.sync_api import expect

from tests.browser import scenes
from tests.browser.looks import overflowing
from tests.browser.visitor import DESKTOP, NARROWEST, size

pytestmark = pytest.mark.usefixtures("a_good_day")


@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.slow)])
def test_drawing_is_visible_and_named_without_javascript(visit, operator, language):
    page = visit(user=operator, language=language, javascript=False)
    drawing = page.get_by_role("img", name="KRW-BTC")

    for kind, number in {"BUY": 4, "bid": 2, "ask": 1}.items():
        expect(page.locator(f"[data-mark={kind}]")).to_have_count(number)
    for width in (DESKTOP, NARROWEST):
        page.set_viewport_size(size(width))
        assert drawing.bounding_box()["width"] > 0.3 * width
        line = page.locator(".drawing .line").bounding_box()
        assert line["width"] > 250
        assert line["height"] > 100
        assert page.locator("[data-mark=bid] .filled").first.bounding_box()["width"] >= 14


def test_marks_stay_inside_the_drawing_on_the_narrowest_screen(visit, operator):
    page = visit(user=operator, width=NARROWEST)
    drawing = page.locator(".drawing").bounding_box()

    for mark in page.locator("[data-mark] > :first-child").all():
        box = mark.bounding_box()
        assert drawing["x"] - 8 <= box["x"] <= drawing["x"] + drawing["width"] + 8
        assert drawing["y"] - 1 <= box["y"] <= drawing["y"] + 244


def test_order_and_signal_link_to_their_admin_pages(visit, operator):
    page = visit(user=operator)
    page.locator("[data-order][data-state=OPEN] a").click()
    expect(page.locator("#content h1")).to_be_visible()
    page.go_back()
    page.locator("[data-signal=HOLD] th a").first.click()
    expect(page.locator("#content h1")).to_be_visible()


@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.slow)])
def test_halt_is_shown_above_the_components(visit, operator, language):
    scenes.halted()
    page = visit(user=operator, language=language)

    expect(page.locator("[data-trading=halted]")).to_contain_text("exchange maintenance at 3")
    trading, components = page.locator("[data-trading]"), page.locator("#components")
    assert trading.bounding_box()["y"] < components.bounding_box()["y"]
    assert overflowing(page, f"halted-{language}") == []
