import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from healthcheck import probes
from healthcheck.alerts.webhook import Webhook
from healthcheck.declared import PanelTask, ProbeTask
from healthcheck.engine import engine, shared_results
from healthcheck.engine.engine import Engine
from healthcheck.engine.slot import Slot
from healthcheck.report import Finding
from tests.healthcheck import samples
from tests.healthcheck.imposing import nothing

ENOUGH_S = 60  # the limit of waits that are expected to succeed; long enough for a busy machine
TOKEN = "a-token-for-monitors"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
DETAIL = "/api/v1/health/detail"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def patient_limits(monkeypatch):
    """Give up after a minute where production does after a second; `databases` shortens it where it must."""
    monkeypatch.setattr(engine, "_DATABASE_WAIT_S", ENOUGH_S)
    monkeypatch.setattr(shared_results, "ROW_WAIT_S", ENOUGH_S)
    monkeypatch.setattr(probes, "_POOL_WAIT_S", ENOUGH_S)
    monkeypatch.setattr(probes, "_READ_LIMIT_S", ENOUGH_S)
    monkeypatch.setitem(Webhook.__init__.__kwdefaults__, "within_s", ENOUGH_S)


class Clock:
    """Seconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class Script:
    """A probe that counts its runs and answers what the test sets.

    `hold()` makes it hang until `release()`.
    """

    def __init__(self, finding: Any = None) -> None:
        self.finding = finding or Finding("healthy", "fine")
        self.runs = 0
        self.began = threading.Event()
        self._go = threading.Event()
        self._go.set()

    def __call__(self) -> Any:
        self.runs += 1
        self.began.set()
        assert self._go.wait(ENOUGH_S)
        if isinstance(self.finding, BaseException):
            raise self.finding
        return self.finding

    def hold(self) -> None:
        self.began.clear()
        self._go.clear()

    def release(self) -> None:
        self._go.set()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def probe(monkeypatch):
    """Make a task whose dotted path leads to a function of the test."""

    def make(name: str, function: Callable[[], Any], **limits: Any) -> ProbeTask:
        monkeypatch.setattr(samples, name, function, raising=False)
        limits = {"timeout_s": 2, "ttl_s": 5, "ttl_bad_s": 3} | limits
        return ProbeTask(name=name, probe=f"tests.healthcheck.samples.{name}", **limits)

    return make


@pytest.fixture
def panel(monkeypatch):
    def make(name: str, function: Callable[[], Any], **options: Any) -> PanelTask:
        monkeypatch.setattr(samples, name, function, raising=False)
        options = {"title": name, "template": "status/fragment.html"} | options
        return PanelTask(context=f"tests.healthcheck.samples.{name}", **options)

    return make


@pytest.fixture
def engine_of(clock):
    """Make an engine of these tasks, with the test's clock unless another is given."""

    def make(*tasks: ProbeTask, **options: Any) -> Engine:
        return Engine(tasks, version="1.2.3", **{"clock": clock, "read_overrides": nothing} | options)

    return make


@pytest.fixture
def scripts():
    """Scripts that are released at the end, so that no thread outlives its test."""
    made: list[Script] = []

    def make(finding: Any = None) -> Script:
        made.append(Script(finding))
        return made[-1]

    yield make
    for script in made:
        script.release()


def all_landed(engine: Engine) -> bool:
    """Wait until nothing is in flight."""
    slots: list[Slot[Any]] = [*engine._slots.values(), *(slot for _, slot in engine._panels)]
    slots.append(engine._overrides._read)
    with engine._changed:
        return engine._changed.wait_for(lambda: all(slot._flight is None for slot in slots), ENOUGH_S)


@pytest.fixture
def site(settings):
    """Six components under their real names, whose probes the returned function sets."""
    settings.HEALTH_TOKEN = TOKEN
    settings.HEALTH_ABILITIES = []
    settings.STATUS_PANELS = []
    names = [entry["name"] for entry in settings.HEALTH_PROBES]

    def set_probes(**paths: str) -> None:
        settings.HEALTH_PROBES = [
            {
                "name": name,
                "probe": paths.get(name, "tests.healthcheck.samples.fine"),
                "timeout_s": ENOUGH_S,
                "ttl_s": 60,
                "ttl_bad_s": 60,
            }
            for name in names
        ]

    set_probes()
    return set_probes


def sign_in(client, **flags):
    client.force_login(User.objects.create_user("kim", **flags), backend=BACKEND)


@pytest.fixture
def staff(client, transactional_db):
    """A client whose session other threads can see."""
    sign_in(client, is_staff=True)
    return client
