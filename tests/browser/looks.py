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
RUN_AXE = "options => axe.run(options).then(results => results.violations)"
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
        violations = page.evaluate(RUN_AXE, {"runOnly": rules, "resultTypes": ["violations"]})
        found += [(scheme, each["id"], [node["html"] for node in each["nodes"]]) for each in violations]
    page.emulate_media(color_scheme="light")
    return found
