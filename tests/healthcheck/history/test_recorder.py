"""Damping, recording, and what the history says (docs/health.md, 15 to 17)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from healthcheck.engine.engine import forget_engine
from healthcheck.history import queries as history
from healthcheck.history import store
from healthcheck.history.damping import Damper
from healthcheck.history.recorder import Recorder
from healthcheck.models import HealthHour, HealthSample, HealthState, HealthTransition
from healthcheck.report import Finding
from healthcheck.snapshot import Component
from tests.healthcheck import samples
from tests.healthcheck.conftest import ENOUGH_S

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)
WELL, WARNS, BAD = Finding("healthy", "fine"), Finding("warning", "slow"), Finding("unhealthy", "broken")
KINDS = {
    "g": WELL,
    "w": WARNS,
    "b": BAD,
    "u": Finding.unjudged("nobody can tell"),
    "p": Finding.pause("maintenance"),
}


def component(kind, number=0, name="database", latency_ms=2.0):
    return Component(name, KINDS[kind], latency_ms, NOON + timedelta(seconds=number), 0.0, late=False)


def after(found, begun=None):
    """Return the states after each change, and the state at the end."""
    damper = Damper(begun)
    changed = [damper.status for number, kind in enumerate(found) if damper.feed(component(kind, number))]
    return changed, damper.status


@pytest.mark.parametrize(
    ("found", "begun", "changed", "at_the_end"),
    [
        ("g", None, [], "healthy"),
        ("bb", None, [], None),
        ("bbb", None, ["unhealthy"], "unhealthy"),
        ("gbb", None, [], "healthy"),
        ("gbbgbb", None, [], "healthy"),
        ("gbbb", None, ["unhealthy"], "unhealthy"),
        ("gwbw", None, ["warning"], "warning"),  # from healthy on every bad answer counts
        ("g", "unhealthy", [], "unhealthy"),
        ("gg", "unhealthy", ["healthy"], "healthy"),
        ("gbg", "unhealthy", [], "unhealthy"),
        ("wwbw", "unhealthy", [], "unhealthy"),
        ("www", "unhealthy", ["warning"], "warning"),
        ("bubub", "healthy", ["unhealthy"], "unhealthy"),  # unjudged results do not count
        ("uuuu", "healthy", [], "healthy"),
        ("ppp", "unhealthy", ["healthy"], "healthy"),
    ],
)
def test_three_bad_answers_or_two_good_ones_in_a_row_are_a_change(found, begun, changed, at_the_end):
    assert after(found, begun) == (changed, at_the_end)


def test_the_same_measurement_counts_once():
    damper = Damper("healthy")

    assert [damper.feed(component("b", 7)) for _ in range(9)] == [False] * 9
    assert damper.is_flapping


@pytest.fixture
def site(settings, monkeypatch, transactional_db):
    """Two components that the test sets, measured anew by every look, and a recorder with a clock to set."""

    class Site:
        now = NOON
        leading = True
        found = {"database": WELL, "api": WELL}

        def __init__(self):
            self.recorder = self.another()

        def another(self):
            return Recorder(lambda: self.leading, clock=lambda: self.now)

        def look(self, *, seconds=60, recorder=None, **found):
            self.found = {**self.found, **found}
            forget_engine()
            wait_s = (recorder or self.recorder).tick()
            self.now += timedelta(seconds=seconds)
            return wait_s

    made = Site()
    for name in made.found:
        monkeypatch.setattr(samples, f"is_{name}", lambda name=name: made.found[name], raising=False)
    settings.HEALTH_PROBES = [
        {"name": name, "probe": f"tests.healthcheck.samples.is_{name}"} for name in made.found
    ]
    return made


def test_a_minute_gives_one_sample_a_component_however_many_ticks(site):
    for _ in range(8):
        site.look(seconds=15)

    assert list(HealthSample.objects.filter(component="api").values_list("at", flat=True).order_by("at")) == [
        NOON,
        NOON + timedelta(minutes=1),
    ]
    assert HealthHour.objects.get(component="api").healthy == 2


def test_hours_count_each_status_and_unjudged_apart(site):
    for kind in "gwbup":
        site.look(api=KINDS[kind])

    hour = HealthHour.objects.get(component="api", hour=NOON)
    assert (hour.healthy, hour.warning, hour.unhealthy, hour.unjudged, hour.paused) == (1, 1, 1, 1, 1)


def test_a_change_is_written_once_with_its_message_and_the_next_ends_it(site):
    for kind in "gbbbbggg":
        site.look(api=KINDS[kind], seconds=10)

    back, down = history.transitions("api")
    assert (down.before, down.after, down.finding.english) == ("healthy", "unhealthy", "broken")
    assert (down.at, down.lasted) == (NOON + timedelta(seconds=30), timedelta(seconds=30))
    assert (back.after, back.lasted) == ("healthy", None)
    state = HealthState.objects.get(component="api")
    assert (state.status, state.since) == ("healthy", back.at)
    assert state.last_error == "broken"


def test_the_next_tick_comes_sooner_while_a_component_is_flapping(site):
    assert [site.look(api=KINDS[kind]) for kind in "gbbb"] == [15, 5, 5, 15]


def test_the_next_recorder_continues_from_the_stored_state(site):
    for kind in "gbbb":
        site.look(api=KINDS[kind])
    second = site.another()

    for kind in "bbb":
        site.look(api=KINDS[kind], recorder=second)

    assert HealthTransition.objects.filter(component="api").count() == 1
    site.look(api=WELL, recorder=second)
    site.look(api=WELL, recorder=second)
    assert [row.after for row in history.transitions("api")] == ["healthy", "unhealthy"]


def test_a_recorder_that_does_not_lead_writes_nothing(site):
    site.leading = False
    site.look()

    assert not HealthSample.objects.exists()


def test_two_recorders_count_the_same_minute_once(site):
    second = site.another()
    site.look(seconds=0)
    site.look(seconds=0, recorder=second)

    assert HealthSample.objects.filter(component="api").count() == 1
    assert HealthHour.objects.get(component="api").healthy == 1


def test_samples_of_a_database_outage_are_written_afterwards(site):
    """An outage is in the history afterwards, although no recorder led during it."""
    outage(site)
    assert not HealthTransition.objects.exists()

    for _ in range(3):  # it has not got the lead back
        site.look(database=WELL, api=WELL)

    assert HealthHour.objects.get(component="database").unhealthy == 4
    assert [row.after for row in history.transitions("database")] == ["healthy", "unhealthy"]
    assert HealthHour.objects.get(component="api").unjudged == 4


def test_a_change_that_two_recorders_see_during_a_handover_is_written_once(site):
    following = site.another()
    for recorder in (site.recorder, following):
        site.look(recorder=recorder)
    for _ in range(3):
        site.look(api=BAD, seconds=5)
        site.look(recorder=following, seconds=5)
    for _ in range(2):
        site.look(api=WELL, seconds=5)
        site.look(recorder=following, seconds=5)

    assert [row.after for row in history.transitions("api")] == ["healthy", "unhealthy"]


def test_a_failed_tick_does_not_end_the_recorder(site, settings):
    settings.HEALTH_PROBES = [{"name": "database", "prob": "misspelt"}]
    begun = threading.Semaphore(0)

    def leads():
        begun.release()
        return True

    recorder = Recorder(leads, clock=lambda: site.now)
    recorder._every_s = recorder._soon_s = 0.01
    forget_engine()

    recorder.start()

    assert all(begun.acquire(timeout=ENOUGH_S) for _ in range(3))
    recorder.stop()
    recorder._thread.join(ENOUGH_S)
    assert not recorder._thread.is_alive()


@pytest.mark.django_db
def test_uptimes_bars_and_percentiles(settings, django_assert_num_queries):
    settings.HEALTH_PROBES = [{"name": "api", "probe": "tests.healthcheck.samples.fine"}]
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for ago, kind in enumerate("g" * 90 + "b" * 10):
        minute = now - timedelta(minutes=ago)
        store.write(minute, [component(kind, name="api", latency_ms=float(ago))], [], [])
    HealthHour.objects.create(component="api", hour=now - timedelta(days=3), healthy=60)
    HealthState.objects.create(component="api", status="healthy", since=now, seen_at=now)

    with django_assert_num_queries(5):
        past = history.histories()["api"]

    assert past.uptime_pct == {"24h": 90.0, "7d": pytest.approx(93.75), "90d": pytest.approx(93.75)}
    assert past.p50_ms == pytest.approx(49.5)
    assert past.p95_ms == pytest.approx(94.05)
    assert len(past.days) == 90
    assert (past.days[-4].kind, past.days[0].kind) == ("healthy", "nothing")
    assert past.latency_ms[0] is None
    assert past.latency_ms[-1] == pytest.approx(7, abs=2)


@pytest.mark.django_db
def test_a_component_without_a_past_has_an_empty_one(settings):
    settings.HEALTH_PROBES = [{"name": "api", "probe": "tests.healthcheck.samples.fine"}]

    past = history.histories()["api"]

    assert (past.status, past.uptime_pct["24h"], past.p50_ms, past.troubles_24h) == (None, None, None, 0)
    assert {day.kind for day in past.days} == {"nothing"}


@pytest.mark.django_db
def test_the_retention_deletes_what_is_older(site):
    site.look()
    site.now += timedelta(days=100)
    site.look()

    for rows in history.older_than(NOON + timedelta(days=90)).values():
        rows.delete()

    assert {sample.at for sample in HealthSample.objects.all()} == {NOON + timedelta(days=100, minutes=1)}


def outage(site):
    """Let the database be away for four looks of who led last."""
    site.look()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE health_sample RENAME TO away")
    site.leading = False
    try:
        for _ in range(4):
            site.look(database=BAD, api=KINDS["u"])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO health_sample")


@pytest.mark.parametrize("order", ["OOOONNNN", "NNNNOOOO", "NONONONO", "ONNOONNO", "NOONNOON"])
def test_an_outage_gets_its_end_whichever_recorder_ticks_first(site, order):
    """O led last, N leads next."""
    outage(site)
    following = site.another()
    for who in order + "NN":
        site.leading = who == "N"
        site.look(database=WELL, api=WELL, seconds=5, recorder=following if who == "N" else None)

    assert [row.after for row in history.transitions("database")] == ["healthy", "unhealthy"]
    assert HealthState.objects.get(component="database").status == "healthy"


def test_buffered_samples_do_not_overwrite_a_newer_state(site):
    outage(site)
    site.leading = True
    following = site.another()
    site.look(database=WELL, api=WELL, recorder=following)
    newest = HealthState.objects.get(component="database").seen_at

    site.leading = False
    for _ in range(3):
        site.look(database=WELL, api=WELL, seconds=0)

    assert HealthState.objects.get(component="database").seen_at >= newest


@pytest.mark.parametrize("value", ["a\x00b", float("nan")])
def test_a_finding_that_the_database_cannot_take_holds_up_no_sample(site, value):
    site.look()
    for _ in range(4):
        site.look(api=Finding("unhealthy", "broken: %(why)s", why=value))
    for _ in range(5):
        site.look(api=WELL)

    assert HealthSample.objects.filter(component="database").count() == 10
