"""A real Chromium on a real server. No page may leave a console error or a CSP violation behind."""

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from playwright.sync_api import expect, sync_playwright

from healthcheck.engine import engine
from tests.browser import looks, scenes
from tests.browser.visitor import DESKTOP, LONG_TIMEOUT_MS, PHONE, Chromium, Visitor
from tradingsite.marketdata import probes as marketdata
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy import probes as strategy

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
LONG_TIMEOUT_S = LONG_TIMEOUT_MS / 1000
AT_NIGHT = {"en-phone": ("en", PHONE), "ko": ("ko", DESKTOP), "ko-phone": ("ko", PHONE)}


@pytest.fixture(scope="session")
def chromium_of_worker(live_server):
    """Start Chromium once for all browser tests of a worker, with its event loop set aside until one runs."""
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium: install it, or set CHROMIUM")
    expect.set_options(timeout=LONG_TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)  # or asyncio.run() would fail in every later test of the worker
        yield Chromium(browser, live_server.url), loop
        asyncio._set_running_loop(loop)
        browser.close()


@pytest.fixture
def chromium(chromium_of_worker, monkeypatch):
    started, loop = chromium_of_worker
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in the test's thread
    asyncio._set_running_loop(loop)
    yield started
    asyncio._set_running_loop(None)


@pytest.fixture
def visit(chromium, transactional_db):
    visitor = Visitor(chromium)
    with quiet_afterwards():
        yield visitor
        complaints = visitor.leave()

    assert complaints == []


@contextmanager
def quiet_afterwards() -> Iterator[None]:
    """Wait at the end for requests and probes under way: they would change the next test's database."""
    of_others = set(threading.enumerate())  # e.g. a probe that an earlier test let hang
    changed, running = threading.Condition(), 0

    def count(change):
        nonlocal running
        with changed:
            running += change
            changed.notify_all()

    def started(**_kwargs):
        count(1)

    def finished(**_kwargs):
        count(-1)

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        yield
        with changed:
            assert changed.wait_for(lambda: running <= 0, LONG_TIMEOUT_S), "a request does not end"
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)
    for thread in set(threading.enumerate()) - of_others:
        if "health-" in thread.name:
            thread.join(LONG_TIMEOUT_S)


@pytest.fixture
def look(visit):
    """Let axe look at a page in light and dark, and see that it fits a desktop and phones."""

    def look(page, name):
        for summary in page.locator("main summary").all():
            if summary.is_visible() and not summary.evaluate("summary => summary.parentElement.open"):
                summary.click()
        with visit.forgiving():  # axe applies styles of its own, which our CSP refuses
            assert looks.faults(page) == [], name
        assert looks.overflowing(page, name) == [], name

    return look


@pytest.fixture(
    params=[
        pytest.param(("en", DESKTOP), id="en"),
        *(pytest.param(seen, id=name, marks=pytest.mark.slow) for name, seen in AT_NIGHT.items()),
    ]
)
def view(request):
    """Give the language of a visit and the width at which axe looks."""
    language, width = request.param
    return {"language": language, "width": width}


@pytest.fixture(autouse=True)
def patient_probes(settings, monkeypatch):
    """Share no probe's result with other tests, and let no probe time out on a busy machine."""
    for name in ("HEALTH_PROBES", "HEALTH_ABILITIES", "STATUS_PANELS"):
        entries = getattr(settings, name)
        setattr(settings, name, [{**entry, "timeout_s": LONG_TIMEOUT_S} for entry in entries])
    settings.HEALTH_PROBES = [{**entry, "shared": False} for entry in settings.HEALTH_PROBES]
    monkeypatch.setattr(engine, "_DATABASE_WAIT_S", LONG_TIMEOUT_S)
    for probes in (marketdata, strategy):
        monkeypatch.setattr(probes, "WITHIN_S", LONG_TIMEOUT_S)


@pytest.fixture
def operator(transactional_db):
    return User.objects.create_superuser("operator", password="a long password")


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer() as server:
        yield server


@pytest.fixture
def exchange(settings, sandbox):
    """Let the exchange and the model's vendor answer."""
    settings.UPBIT_URL = settings.GEMINI_URL = sandbox.url


@pytest.fixture
def a_good_day(transactional_db, exchange):
    """Everything works."""
    scenes.at_work()
    scenes.trading()
