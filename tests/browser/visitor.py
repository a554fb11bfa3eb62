"""Windows of one Chromium, kept open for a whole worker, and the visitor who opens pages in them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize
from playwright.sync_api import Error as PlaywrightError

LONG_TIMEOUT_MS = 60_000  # a busy machine is slow; a wait ends as soon as what it waits for happens
DESKTOP, PHONE, NARROWEST = WIDTHS = (1280, 375, 320)
LOCALES = {"en": "en-GB", "ko": "ko-KR"}
# The page's own limit for a request follows neither its stopped clock nor the load of this machine.
NO_LIMIT = "AbortSignal.timeout = () => new AbortController().signal"

Timers = Literal["run", "by hand"]


def size(width: int) -> ViewportSize:
    return {"width": width, "height": 800}


@dataclass(frozen=True)
class Kind:
    """What cannot be changed in an open window.

    Attributes:
        timers: "by hand" stops the page's clock: `page.clock.run_for(ms)` moves it.
    """

    language: str = "en"
    javascript: bool = True
    timers: Timers = "run"
    zone: str = "Asia/Seoul"


class Window:
    """One page in a browser profile of its own, and the console errors of whatever is opened in it."""

    def __init__(self, browser: Browser, kind: Kind, url: str) -> None:
        self.complaints: list[str] = []
        self._url = url
        self._context = browser.new_context(
            base_url=url,
            locale=LOCALES[kind.language],
            timezone_id=kind.zone,
            java_script_enabled=kind.javascript,
        )
        self._context.set_default_timeout(LONG_TIMEOUT_MS)
        self._context.add_init_script(NO_LIMIT)
        self.page = self._context.new_page()
        if kind.timers == "by hand":
            now = timezone.now()
            # The clock runs until it is paused, and cannot be paused in its past.
            self.page.clock.install(time=now - timedelta(hours=1))
            self.page.clock.pause_at(now)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def enter(self, width: int, user: User | None) -> Page:
        """Give the page that width, light colours and that user's session."""
        if user:
            name, key = settings.SESSION_COOKIE_NAME, session_key(user)
            self._context.add_cookies([{"name": name, "value": key, "url": self._url}])
        self.page.set_viewport_size(size(width))
        self.page.emulate_media(color_scheme="light", media="screen", reduced_motion="reduce")
        return self.page

    def leave(self) -> None:
        """Forget all that the page and its visitor left behind."""
        self.page.unroute_all()
        self.page.evaluate("origin === 'null' || (localStorage.clear(), sessionStorage.clear())")
        self.page.goto("about:blank")
        self._context.clear_cookies()

    def close(self) -> None:
        self._context.close()

    def _note(self, message: ConsoleMessage) -> None:
        # A page that rightly comes with 404 or 503 is an error to the console.
        expected = "the server responded with a status of" in message.text and message.location["url"] == (
            message.page.url if message.page else ""
        )
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(message.text)


def session_key(user: User) -> str:
    """Return the key of a new session of `user`."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


class Chromium:
    """A running browser. A new profile costs as much CPU as three pages, so each kind of window is kept."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self._url = browser, url
        self._kept: dict[Kind, Window] = {}

    def window(self, kind: Kind, used: Collection[Window]) -> Window:
        """Return the kept window of that kind, or one for this test alone when that is used already."""
        kept = self._kept.get(kind)
        if kept in used:
            return Window(self._browser, kind, self._url)
        return kept or self._kept.setdefault(kind, Window(self._browser, kind, self._url))

    def put_back(self, window: Window) -> None:
        window.leave()
        if window not in self._kept.values():
            window.close()

    def drop(self) -> None:
        """Close all windows, as one of them no longer answers."""
        for window in self._kept.values():
            window.close()
        self._kept.clear()


@dataclass
class Visitor:
    """Opens pages of the site. A second visit of a test gets a window of its own, as a colleague would."""

    chromium: Chromium
    windows: list[Window] = field(default_factory=list)

    def __call__(
        self,
        path: str = "/status/",
        *,
        width: int = DESKTOP,
        user: User | None = None,
        language: str = "en",
        javascript: bool = True,
        timers: Timers = "run",
        zone: str = "Asia/Seoul",
    ) -> Page:
        window = self.chromium.window(Kind(language, javascript, timers, zone), self.windows)
        self.windows.append(window)
        page = window.enter(width, user)
        page.goto(path)
        return page

    def forgive(self, part: str) -> None:
        """Forget the complaints that a test provoked."""
        for window in self.windows:
            window.complaints[:] = [complaint for complaint in window.complaints if part not in complaint]

    @contextmanager
    def forgiving(self) -> Iterator[None]:
        """Forget all complaints of the block."""
        before = [(window, list(window.complaints)) for window in self.windows]
        yield
        for window, complaints in before:
            window.complaints[:] = complaints

    def leave(self) -> list[str]:
        """Close or clear every window; return what Chromium complained about."""
        complaints = []
        try:
            for window in self.windows:
                self.chromium.put_back(window)
                complaints += window.complaints
                window.complaints.clear()
        except PlaywrightError:
            self.chromium.drop()
            raise
        return complaints
