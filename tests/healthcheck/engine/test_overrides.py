"""Maintenance windows and rehearsals: what the engine makes of them (docs/health.md, 19)."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import pytest
from django.db import OperationalError
from django.utils import translation

from healthcheck.declared import AbilityTask
from healthcheck.engine.active_overrides import ActiveOverrides, Override
from healthcheck.report import Finding
from tests.healthcheck.conftest import ENOUGH_S, all_landed

UNTIL = datetime(2026, 1, 24, 12, tzinfo=UTC)
BAD = Finding("unhealthy", "refused %(times)d times", times=3)
MAINTENANCE = Override("api", "maintenance", "new disks", "kim", UNTIL, 0, 2000)
FAIL = replace(MAINTENANCE, kind="fail")


class Staff:
    """What is imposed, as the database would tell it; it can be away."""

    def __init__(self):
        self.overrides = ()
        self.away = False
        self.reads = 0
        self.answers = Event()
        self.answers.set()

    def __call__(self, clock):
        self.reads += 1
        assert self.answers.wait(ENOUGH_S)
        if self.away:
            raise OperationalError
        return ActiveOverrides(tuple(self.overrides))


@pytest.fixture
def staff_imposes():
    staff = Staff()
    yield staff
    staff.answers.set()


@pytest.fixture
def components(engine_of, probe, scripts, clock, staff_imposes):
    """An engine of a database, an API that needs it, and another; return its components by name."""
    found = {name: scripts() for name in ("database", "api", "other")}
    needs = {"needs": ("database",)}
    engine = engine_of(
        probe("database", found["database"], timeout_s=0.3),
        probe("api", found["api"], timeout_s=0.2, **needs),
        probe("other", found["other"]),
        read_overrides=staff_imposes,
        abilities=[AbilityTask(name="buy", label="buy", needs=("database", "api"))],
    )

    class Components:
        snapshot = engine.snapshot

        def __call__(self, *overrides, after_s=20, **findings):
            staff_imposes.overrides = overrides
            for name, finding in findings.items():
                found[name].finding = finding
            clock.advance(after_s)
            by_name = {component.name: component for component in engine.snapshot().components}
            assert all_landed(engine)
            return by_name

    return Components()


def test_without_an_override_the_finding_is_shown(components):
    api = components(api=BAD)["api"]

    assert (api.finding, api.raw, api.override) == (BAD, BAD, "")


@pytest.mark.parametrize("found", [Finding("healthy", "fine"), Finding("warning", "late"), BAD])
def test_in_maintenance_a_component_is_paused_whatever_is_found(components, found):
    api = components(MAINTENANCE, api=found)["api"]

    assert (api.status, api.paused, api.override) == ("healthy", True, "maintenance")
    assert api.finding.english == (
        f"maintenance until 2026-01-24 12:00 UTC (kim): new disks; without it: {found.english}"
    )
    assert api.raw == found


def test_the_inner_finding_is_translated(components):
    down = Finding("unhealthy", "no connection: the server is down or unreachable")
    shown = components(MAINTENANCE, api=down)["api"].finding

    with translation.override("ko"):
        assert down.text() != down.english
        assert down.text() in shown.text()
    assert shown.params["found"] == down.english


@pytest.mark.parametrize(("kind", "status"), [("warn", "warning"), ("fail", "unhealthy")])
def test_a_rehearsal_shows_author_reason_and_end(components, kind, status):
    api = components(replace(FAIL, kind=kind))["api"]

    assert (api.status, api.override, api.raw.status) == (status, "rehearsal", "healthy")
    assert api.finding.english == ("REHEARSAL until 2026-01-24 12:00 UTC (kim): new disks; without it: fine")


def test_a_rehearsal_counts_as_a_new_measurement_each_time(components):
    first, second = (components(FAIL, after_s=1)["api"] for _ in range(2))

    assert second.measured_at > first.measured_at


def test_an_override_ends_on_time_without_the_database(components, staff_imposes, clock):
    ends_s = clock() + 100
    assert components(replace(FAIL, ends_s=ends_s))["api"].override == "rehearsal"
    staff_imposes.away = True

    assert components(after_s=79)["api"].override == "rehearsal"
    assert components(after_s=1)["api"].override == ""


def test_a_planned_override_begins_on_time(components, clock):
    planned = replace(MAINTENANCE, starts_s=clock() + 100)

    assert components(planned, after_s=99)["api"].override == ""
    assert components(planned, after_s=1)["api"].override == "maintenance"


def test_a_snapshot_is_not_kept_over_an_end(components, clock):
    ends_s = clock() + 20.5
    assert components(replace(FAIL, ends_s=ends_s))["api"].override == "rehearsal"

    assert components(replace(FAIL, ends_s=ends_s), after_s=0.5)["api"].override == ""


def test_the_newest_override_wins(components):
    of_all = replace(MAINTENANCE, component="")

    assert components(FAIL, of_all)["api"].override == "rehearsal"
    assert components(of_all, FAIL)["api"].override == "maintenance"
    assert components(FAIL, of_all)["other"].override == "maintenance"


def test_a_rehearsed_failure_blocks_dependents_which_are_still_measured(components):
    found = components(replace(FAIL, component="database"), api=BAD)

    api = found["api"]
    assert (api.status, api.judged, api.override, api.raw) == ("warning", False, "rehearsal", BAD)
    assert api.finding.english == "REHEARSAL: cannot be judged: database is down"
    assert found["other"].override == ""


def test_dependents_of_a_component_in_maintenance_are_paused_with_it(components):
    components(database=BAD)

    found = components(replace(MAINTENANCE, component="database"))

    assert {component.status for component in found.values()} == {"healthy"}
    assert found["api"].finding.english == "paused: database is in maintenance"
    assert found["api"].raw.english == "cannot be judged: database is down"
    assert components.snapshot().status == "healthy"
    assert components.snapshot().is_unhealthy("database")


def test_abilities_follow_overrides(components):
    for override, answer in ((FAIL, "no"), (MAINTENANCE, "paused"), (replace(FAIL, kind="warn"), "yes")):
        components(override)
        assert components.snapshot().can_act == answer


def test_overrides_are_read_at_most_every_two_seconds(components, staff_imposes, clock):
    components()
    reads = staff_imposes.reads

    for _ in range(10):
        components(after_s=0.19)
    assert staff_imposes.reads == reads
    components(after_s=1)

    assert staff_imposes.reads == reads + 1


def test_a_stuck_read_of_overrides_delays_only_the_first_answer(engine_of, probe, scripts, staff_imposes):
    staff_imposes.answers.clear()
    staff_imposes.overrides = [replace(FAIL, ends_s=float("inf"))]
    engine = engine_of(probe("api", scripts()), clock=time.monotonic, read_overrides=staff_imposes)

    assert engine.component("api").override == ""
    began_s = time.monotonic()
    for _ in range(20):
        assert engine.component("api").override == ""

    assert time.monotonic() - began_s < 20 * 0.5  # only the first waits for its limit
    staff_imposes.answers.set()
    assert all_landed(engine)


def test_a_failed_read_of_overrides_is_logged_and_gives_none(engine_of, probe, scripts):
    def broken(clock):
        raise RuntimeError

    engine = engine_of(probe("api", scripts()), read_overrides=broken)

    assert engine.component("api").status == "healthy"
