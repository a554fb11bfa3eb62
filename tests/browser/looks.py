"""What a page looks like, at every width and in both colour schemes."""

import os
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from playwright.sync_api import Page

from tests.browser.visitor import DESKTOP, WIDTHS, size

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The dark page is the same page in other colours.
RULES: dict[Literal["light", "dark"], list[str]] = {"light": STANDARDS, "dark": ["color-contrast"]}
# axe leaves it to people to judge text in the very colour of its background.
RUN_AXE = """async rules => {
    const found = await axe.run({runOnly: rules, resultTypes: ["violations", "incomplete"]});
    const invisible = node => node.any.some(check => check.data?.messageKey === "equalRatio");
    const doubtful = found.incomplete.map(rule => ({id: rule.id, nodes: rule.nodes.filter(invisible)}));
    return [...found.violations, ...doubtful.filter(rule => rule.nodes.length)]
        .map(rule => [rule.id, rule.nodes.map(node => node.html)]);
}"""
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def photograph(page: Page, name: str) -> None:
    """Keep the whole page, light and dark, in `VAR_DIR/screenshots`, when SCREENSHOTS asks for it."""
    if os.environ.get("SCREENSHOTS"):
        for scheme in RULES:
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=settings.VAR_DIR / "screenshots" / f"{name}-{scheme}.png", full_page=True)
        page.emulate_media(color_scheme="light")


def overflowing(page: Page, name: str) -> list[int]:
    """Return the widths at which the page scrolls sideways: of a desktop, a phone, the narrowest screen."""
    before = page.viewport_size or size(DESKTOP)
    found = []
    for width in WIDTHS:
        page.set_viewport_size(size(width))
        photograph(page, f"{name}-{width}")
        if page.evaluate(OVERFLOWS):
            found.append(width)
    page.set_viewport_size(before)
    return found


def faults(page: Page) -> list[tuple[str, str, list[str]]]:
    """Return scheme, rule and elements of what axe finds at the page's present width."""
    page.evaluate(AXE_SCRIPT)
    found: list[tuple[str, str, list[str]]] = []
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        found += [(scheme, rule, elements) for rule, elements in page.evaluate(RUN_AXE, rules)]
    page.emulate_media(color_scheme="light")
    return found
