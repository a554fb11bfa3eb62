"""The engine by the real clock: a probe that hangs costs one thread and no more time than its limit."""

import subprocess
import sys
import threading
import time
from concurrent.futures import Future

import pytest
from django.db import connection

from healthcheck.declared import AbilityTask
from healthcheck.engine import bounded_thread
from healthcheck.engine.bounded_thread import BoundedThread, CallTimedOut
from healthcheck.engine.engine import Engine, engine, forget_engine
from healthcheck.report import Finding
from tests.healthcheck.conftest import ENOUGH_S, all_landed
from tests.healthcheck.databases import pooled
from tests.healthcheck.imposing import nothing
from tests.healthcheck.processes import DEADLINE_S

LIMIT_S = 0.2


def seconds_for(question):
    began_s = time.monotonic()
    answer = question()
    return answer, time.monotonic() - began_s


def test_a_stuck_probe_is_answered_for_at_its_limit(engine_of, probe, scripts):
    stuck = scripts()
    stuck.hold()
    tasks = probe("stuck", stuck, timeout_s=LIMIT_S), probe("slow_limit", scripts(), timeout_s=ENOUGH_S)
    engine = engine_of(*tasks, clock=time.monotonic)

    snapshot, took_s = seconds_for(engine.snapshot)

    assert LIMIT_S <= took_s < ENOUGH_S / 2  # the longer limit of the other does not count
    (component, other) = snapshot.components
    assert component.finding.english == "no answer within 0.2 s"
    assert (component.status, component.latency_ms) == ("unhealthy", None)
    assert other.status == "healthy"


def test_the_deadline_ends_every_wait(engine_of, probe, scripts):
    stuck = scripts()
    stuck.hold()
    engine = engine_of(probe("stuck", stuck, timeout_s=ENOUGH_S), clock=time.monotonic)
    engine.deadline_s = 0.1

    snapshot, took_s = seconds_for(engine.snapshot)

    assert snapshot.components[0].finding.english == f"no answer within {ENOUGH_S} s"
    assert took_s < ENOUGH_S


def test_while_a_probe_is_stuck_polls_are_answered_at_once_and_start_no_thread(engine_of, probe, scripts):
    stuck = scripts()
    stuck.hold()
    engine = engine_of(probe("stuck", stuck, timeout_s=0.1, ttl_s=0.01, ttl_bad_s=0.01), clock=time.monotonic)
    engine.snapshot()

    _, took_s = seconds_for(lambda: [engine.component("stuck") for _ in range(200)])

    assert took_s < 0.1 * ENOUGH_S
    assert stuck.runs == 1
    assert [thread.name for thread in threading.enumerate()].count("health-stuck") == 1


def test_an_answer_that_came_too_late_does_not_count_as_well(engine_of, probe, scripts):
    late = scripts()
    late.hold()
    engine = engine_of(probe("late", late, timeout_s=0.1), clock=time.monotonic)
    engine.snapshot()

    late.release()
    assert all_landed(engine)

    (component,) = engine.snapshot().components
    assert component.finding.english == "no answer within 0.1 s"
    assert component.latency_ms is None


def test_a_late_unhealthy_finding_counts(engine_of, probe, scripts):
    late = scripts(Finding("unhealthy", "the pool is exhausted"))
    late.hold()
    engine = engine_of(probe("late", late, timeout_s=0.1), clock=time.monotonic)
    engine.snapshot()

    late.release()
    assert all_landed(engine)

    (component,) = engine.snapshot().components
    assert component.finding.english == "the pool is exhausted"
    assert component.latency_ms is None


def test_a_stuck_probe_runs_again_once_its_thread_has_ended(engine_of, probe, scripts):
    stuck = scripts()
    stuck.hold()
    engine = engine_of(probe("stuck", stuck, timeout_s=0.1, ttl_bad_s=0.01), clock=time.monotonic)
    engine.snapshot()
    stuck.release()
    assert all_landed(engine)

    def recovers():
        engine.snapshot()
        return engine.snapshot().status == "healthy"

    ends_s = time.monotonic() + ENOUGH_S
    while not recovers():
        assert time.monotonic() < ends_s


def test_a_hundred_simultaneous_pollers_make_one_run_of_each_probe(engine_of, probe, scripts):
    first, second = scripts(), scripts()
    first.hold()
    tasks = [
        probe(name, script, timeout_s=ENOUGH_S) for name, script in (("first", first), ("second", second))
    ]
    engine = engine_of(*tasks, clock=time.monotonic)
    snapshots = []
    pollers = [threading.Thread(target=lambda: snapshots.append(engine.snapshot())) for _ in range(100)]

    for poller in pollers:
        poller.start()
    assert first.began.wait(ENOUGH_S)
    first.release()
    for poller in pollers:
        poller.join(ENOUGH_S)

    assert [snapshot.status for snapshot in snapshots] == ["healthy"] * 100
    assert (first.runs, second.runs) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_threads_give_their_database_connections_back(engine_of, probe):
    def query() -> Finding:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return Finding("healthy", "answered")

    size = pooled().pool.max_size
    engine = engine_of(probe("query", query, timeout_s=ENOUGH_S), clock=time.monotonic)
    for _ in range(size + 5):  # more threads than there are connections
        assert engine.snapshot().status == "healthy"
        assert all_landed(engine)
        forget_result(engine)


def forget_result(engine):
    engine._kept = None
    for slot in engine._slots.values():
        slot._result = None


def test_a_bounded_call_times_out_and_no_other_starts_before_it_ends():
    bounded, go, others = BoundedThread(0.05), threading.Event(), threading.enumerate()

    with pytest.raises(CallTimedOut):
        bounded.call(lambda: go.wait(ENOUGH_S))
    with pytest.raises(CallTimedOut):
        bounded.call(lambda: pytest.fail("must not begin"))
    go.set()
    for thread in threading.enumerate():
        if thread.name == "health-bounded" and thread not in others:
            thread.join(ENOUGH_S)

    assert bounded.call(lambda: "done") == "done"


@pytest.mark.parametrize("error", [TimeoutError("its own"), ValueError("no")])
def test_a_bounded_call_raises_the_error_of_its_work(error):
    def fails():
        raise error

    with pytest.raises(type(error), match=str(error)):
        BoundedThread(ENOUGH_S).call(fails)


class _JustTooLate(Future[str]):
    """Its wait times out just before the call ends, and the next request finds it ended."""

    def result(self, timeout=None):
        value = super().result(ENOUGH_S)
        if timeout is not None:
            raise TimeoutError
        return value


def test_a_bounded_call_that_ends_just_at_the_limit_returns_its_value(monkeypatch):
    monkeypatch.setattr(bounded_thread, "Future", _JustTooLate)
    bounded = BoundedThread(ENOUGH_S)

    assert bounded.call(lambda: "just in time") == "just in time"
    assert bounded.call(lambda: "again") == "again"


def test_there_is_one_engine_a_process_until_it_is_forgotten():
    first = engine()

    assert engine() is first
    forget_engine()
    assert engine() is not first


def test_a_changed_setting_makes_a_new_engine(settings):
    first = engine()

    settings.HEALTH_PROBES = settings.HEALTH_PROBES[:1]

    assert engine() is not first
    assert list(engine()._slots) == ["database"]


FORKED = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what this is about
import django
from django.conf import settings
probes = [{"name": "stuck", "probe": "tests.healthcheck.samples.hangs", "timeout_s": 0.2}]
settings.configure(
    HEALTH_PROBES=probes, HEALTH_ABILITIES=[], STATUS_PANELS=[], VERSION="1", INSTALLED_APPS=["healthcheck"]
)
django.setup()
import healthcheck.engine.engine
assert threading.active_count() == 1, "importing starts nothing"
parent = healthcheck.engine.engine.engine()
parent.snapshot()
parent._changed.acquire()  # another thread of the parent may be inside while it forks
if os.fork() == 0:
    child = healthcheck.engine.engine.engine()
    text = child.snapshot().components[0].finding.english
    stuck = [thread for thread in threading.enumerate() if thread.name == "health-stuck"]
    fine = child is not parent and text == "no answer within 0.2 s" and len(stuck) == 1
    os._exit(0 if fine else 1)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_forked_child_has_an_engine_of_its_own_and_importing_starts_nothing():
    done = subprocess.run(
        [sys.executable, "-c", FORKED], check=False, timeout=DEADLINE_S, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_waits_for_everything_together(probe, panel, scripts):
    """One deadline: not first for components and panels, and then for the abilities."""
    hung, limit_s = scripts(), 1.0
    hung.hold()
    slow = probe("slow", hung, timeout_s=limit_s)
    engine = Engine(
        [],
        [panel("shown", hung, timeout_s=limit_s)],
        [AbilityTask(name="act", label="Act", probe=slow.probe, timeout_s=limit_s)],
        version="1",
        read_overrides=nothing,
    )
    began_s = time.monotonic()

    snapshot, (shown,) = engine.page()

    assert time.monotonic() - began_s < 1.9 * limit_s
    assert snapshot.can_act == "no"
    assert "no answer within" in shown.context.english
