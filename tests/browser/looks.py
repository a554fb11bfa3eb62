"""What a page looks like."""

import os

from django.conf import settings
from playwright.sync_api import Page


def photograph(page: Page, name: str) -> None:
    """Keep the whole page, light and dark, in `VAR_DIR/screenshots`, when SCREENSHOTS asks for it."""
    if os.environ.get("SCREENSHOTS"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=settings.VAR_DIR / "screenshots" / f"{name}-{scheme}.png", full_page=True)


def fits(page: Page, name: str) -> list[int]:
    """Return the widths that need no sideways scrolling: of a desktop, a phone, the narrowest screen."""
    fitting = []
    for width in (1280, 375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        photograph(page, f"{name}-{width}")
        if page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"):
            fitting.append(width)
    return fitting
