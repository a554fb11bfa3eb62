"""A real Chromium on a real server. No page may leave a console error or a CSP violation behind."""

import os
import shutil
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser import scenes
from tradingsite.sandbox.server import SandboxServer

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in the test's thread

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
IDLE_AFTER_S = 10  # longer than any probe or request of these tests takes
LOCALES = {"en": "en-GB", "ko": "ko-KR"}


@pytest.fixture(scope="module")  # not session: asyncio.run() would fail in every later test of the run
def browser():
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium: install it, or set CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@dataclass
class Visitor:
    """Opens pages of the live server, each in a fresh browser profile.

    `timers="by hand"` stops the page's clock: `page.clock.run_for(ms)` moves it.
    """

    browser: Browser
    url: str
    complaints: list[str] = field(default_factory=list)

    def __call__(
        self,
        path="/status/",
        *,
        width=1280,
        language="en",
        javascript=True,
        user=None,
        timers="run",
        zone="Asia/Seoul",
    ) -> Page:
        context = self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 800},
            locale=LOCALES[language],
            timezone_id=zone,
            reduced_motion="reduce",
            java_script_enabled=javascript,
        )
        context.set_default_timeout(10_000)
        if user:
            key = signed_in(user)
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": self.url}])
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if timers == "by hand":
            page.clock.install()
        page.goto(path)
        return page

    def forgive(self, part: str) -> None:
        """Forget the complaints that a test provoked."""
        self.complaints = [complaint for complaint in self.complaints if part not in complaint]

    def _heard(self, message: ConsoleMessage) -> None:
        # A page that rightly comes with 404 or 503 is an error to the console.
        expected = "the server responded with a status of" in message.text and message.location["url"] == (
            message.page.url if message.page else ""
        )
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(message.text)


def signed_in(user: User) -> str:
    """Return the key of a new session of `user`."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def visit(browser, live_server):
    of_others = set(threading.enumerate())  # e.g. a probe that an earlier test let hang
    visitor = Visitor(browser, live_server.url)
    yield visitor
    for context in browser.contexts:
        context.close()
    land_probes(of_others)

    assert visitor.complaints == []


def land_probes(of_others: Collection[threading.Thread]) -> None:
    """Wait for requests and probes under way: what they find is not for the next test.

    Not for ever: Chromium may keep a connection on which it asks nothing, and that has a thread too.
    """
    until = time.monotonic() + IDLE_AFTER_S
    for kind in ("process_request_thread", "health-"):
        while flying := [
            thread for thread in threading.enumerate() if kind in thread.name and thread not in of_others
        ]:
            if time.monotonic() > until:
                break
            for thread in flying:
                thread.join(max(0.0, until - time.monotonic()))


@pytest.fixture(autouse=True)
def unshared_probes(settings):
    """Let no test see what another one's exchange said: a shared result would outlive it."""
    settings.HEALTH_PROBES = [{**entry, "shared": False} for entry in settings.HEALTH_PROBES]


@pytest.fixture
def operator(transactional_db):
    return User.objects.create_superuser("operator", password="a long password")


@pytest.fixture
def exchange(settings):
    """Let the exchange and the model's vendor answer."""
    with SandboxServer() as server:
        settings.UPBIT_URL = settings.GEMINI_URL = server.url
        yield server


@pytest.fixture
def a_good_day(transactional_db, exchange):
    """Everything works."""
    scenes.at_work()
    scenes.trading()
