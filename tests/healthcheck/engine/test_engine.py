"""The engine with an injected clock: when probes run, how long results are kept, how each state is shown."""

import pytest
from django.db import OperationalError, ProgrammingError
from psycopg.errors import UndefinedTable
from structlog.testing import capture_logs

from healthcheck.report import Finding
from tests.healthcheck.conftest import ENOUGH_S, all_landed
from tests.healthcheck.samples import PLANTED_SECRET

DOWN = Finding("unhealthy", "refused")


def missing_table() -> ProgrammingError:
    error = ProgrammingError(PLANTED_SECRET)
    error.__cause__ = UndefinedTable(PLANTED_SECRET)
    return error


def states(engine):
    return {component.name: component.status for component in engine.snapshot().components}


def only(engine):
    (component,) = engine.snapshot().components
    return component


def test_components_come_in_the_configured_order(engine_of, probe, scripts):
    engine = engine_of(probe("late", scripts()), probe("early", scripts()))

    assert list(states(engine)) == ["late", "early"]


def test_a_result_younger_than_its_ttl_is_served_as_it_is(engine_of, probe, scripts, clock):
    script = scripts()
    engine = engine_of(probe("calm", script))

    engine.snapshot()
    clock.advance(4.9)

    assert only(engine).age_s == pytest.approx(4.9)
    assert not only(engine).late
    assert script.runs == 1


def test_an_older_result_is_served_with_its_age_while_one_refresh_runs(engine_of, probe, scripts, clock):
    script = scripts()
    engine = engine_of(probe("calm", script))
    engine.snapshot()
    script.hold()

    clock.advance(5)
    first, second = only(engine), only(engine)

    assert script.began.wait(ENOUGH_S)
    assert (first.status, first.age_s, first.late) == ("healthy", 5, True)
    assert second.late
    assert script.runs == 2
    script.release()
    assert all_landed(engine)
    assert (only(engine).age_s, only(engine).late) == (0, False)


def test_a_result_of_three_ttls_is_not_served_any_more(engine_of, probe, scripts, clock):
    script = scripts()
    engine = engine_of(probe("calm", script))
    engine.snapshot()
    script.finding = DOWN

    clock.advance(15)

    assert only(engine).status == "unhealthy"
    assert script.runs == 2


@pytest.mark.parametrize("status", ["warning", "unhealthy"])
def test_an_unhealthy_component_is_probed_again_sooner(engine_of, probe, scripts, clock, status):
    script = scripts(Finding(status, "hm"))
    engine = engine_of(probe("calm", script))
    engine.snapshot()

    clock.advance(2.9)
    engine.snapshot()
    assert script.runs == 1
    clock.advance(0.1)
    engine.snapshot()
    assert all_landed(engine)

    assert script.runs == 2


def test_a_snapshot_is_the_same_object_until_something_changes(engine_of, probe, scripts, clock):
    engine = engine_of(probe("calm", scripts()))
    first = engine.snapshot()

    clock.advance(0.9)
    assert engine.snapshot() is first
    clock.advance(0.2)

    assert engine.snapshot() is not first


def test_an_overdue_run_replaces_the_old_result(engine_of, probe, scripts, clock):
    script = scripts()
    engine = engine_of(probe("calm", script))
    engine.snapshot()
    script.hold()
    clock.advance(5)
    assert only(engine).status == "healthy"

    clock.advance(2)
    assert only(engine).finding.english == "no answer within 2 s"
    clock.advance(1.5)

    assert only(engine).finding.english == "still running after 3.5 s (limit 2 s)"
    assert only(engine).latency_ms is None


def test_a_broken_probe_is_a_finding_without_the_exceptions_text(engine_of, probe, scripts, clock):
    script = scripts(RuntimeError(PLANTED_SECRET))
    engine = engine_of(probe("broken", script))

    with capture_logs() as logs:
        component = only(engine)
        clock.advance(4)
        engine.snapshot()
        assert all_landed(engine)
        engine.snapshot()

    assert component.status == "unhealthy"
    assert component.finding.english == "the probe failed; see the log"
    assert script.runs == 2
    assert [log["event"] for log in logs] == ["health.failed", "health.changed"]  # not once a run


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OperationalError(PLANTED_SECRET), "cannot be judged: the database does not answer"),
        (missing_table(), "cannot be judged: a table is missing, run migrate"),
    ],
)
def test_a_probe_that_the_database_fails_cannot_be_judged(engine_of, probe, scripts, error, sentence):
    with capture_logs() as logs:
        component = only(engine_of(probe("signal", scripts(error))))

    assert (component.status, component.latency_ms) == ("warning", None)
    assert component.finding.english == sentence
    assert [log["event"] for log in logs] == ["health.changed"]


def test_a_traceback_is_logged_again_after_five_minutes_or_for_another_error(
    engine_of, probe, scripts, clock
):
    script = scripts(RuntimeError("a"))
    engine = engine_of(probe("broken", script))

    def failures():
        with capture_logs() as logs:
            engine.snapshot()
            assert all_landed(engine)
        return [type(log["exc_info"]) for log in logs if log["event"] == "health.failed"]

    assert failures() == [RuntimeError]
    clock.advance(301)
    assert failures() == [RuntimeError]
    script.finding = ValueError("b")
    clock.advance(4)
    assert failures() == [ValueError]


@pytest.mark.parametrize("answer", [SystemExit(3), "all well", None])
def test_a_probe_that_exits_or_returns_something_else_is_broken_too(engine_of, probe, clock, answer):
    def misbehaves():
        if isinstance(answer, BaseException):
            raise answer
        return answer

    engine = engine_of(probe("odd", misbehaves))

    assert only(engine).finding.english == "the probe failed; see the log"


def test_a_path_that_leads_nowhere_is_one_unhealthy_component(engine_of, probe, scripts):
    fine, lost = probe("fine_one", scripts()), probe("lost", scripts())
    engine = engine_of(fine, type(lost)(name="lost", probe="tests.healthcheck.samples.nowhere"))

    assert states(engine) == {"fine_one": "healthy", "lost": "unhealthy"}


def test_a_component_whose_dependency_is_down_cannot_be_judged(engine_of, probe, scripts, clock):
    database, signal = scripts(), scripts()
    engine = engine_of(probe("database", database), probe("signal", signal, needs=("database",)))
    engine.snapshot()
    database.finding = DOWN
    clock.advance(16)

    component = engine.snapshot().components[1]

    assert (component.status, component.latency_ms) == ("warning", None)
    assert component.finding.english == "cannot be judged: database is down"
    assert engine.snapshot().status == "unhealthy"


def test_a_component_is_not_probed_while_its_dependency_is_down(engine_of, probe, scripts, clock):
    database, signal = scripts(DOWN), scripts()
    engine = engine_of(probe("database", database), probe("signal", signal, needs=("database",)))
    engine.snapshot()
    assert all_landed(engine)
    runs = signal.runs  # both began together

    clock.advance(8)
    engine.snapshot()
    assert all_landed(engine)
    assert signal.runs == runs
    database.finding = Finding("healthy", "back")
    clock.advance(9)

    assert states(engine) == {"database": "healthy", "signal": "healthy"}
    assert signal.runs == runs + 1


def test_a_change_of_state_is_one_log_line_however_often_it_is_polled(engine_of, probe, scripts, clock):
    script = scripts()
    engine = engine_of(probe("calm", script))

    def lines():
        with capture_logs() as logs:
            for _ in range(5):
                clock.advance(1.1)
                engine.snapshot()
                engine.component("calm")
                assert all_landed(engine)
        return [(log["log_level"], log["before"], log["after"]) for log in logs]

    assert lines() == []
    script.finding = DOWN
    assert lines() == [("warning", "healthy", "unhealthy")]
    script.finding = Finding("healthy", "back")
    assert lines() == [("info", "unhealthy", "healthy")]


def test_requesting_one_component_runs_only_its_probe(engine_of, probe, scripts):
    requested, other = scripts(), scripts()
    engine = engine_of(probe("requested", requested), probe("other", other))

    assert engine.component("requested").status == "healthy"
    assert (requested.runs, other.runs) == (1, 0)


def test_the_deadline_is_the_longest_limit_and_a_little_more(engine_of, probe, scripts):
    engine = engine_of(
        probe("short", scripts(), timeout_s=1), probe("long", scripts(), timeout_s=4, shared=True)
    )

    assert 4.5 < engine.deadline_s <= 4.7


def test_a_process_without_more_threads_has_no_answer_but_answers(engine_of, probe, scripts, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    engine = engine_of(probe("calm", scripts()))
    monkeypatch.setattr("threading.Thread.start", refuse)

    assert only(engine).finding.english == "no answer within 2 s"


def test_a_probe_that_gave_up_in_time_has_no_latency(engine_of, probe, scripts):
    engine = engine_of(probe("slow", scripts(Finding.timeout("no answer within %(limit)g s", limit=2.5))))

    assert only(engine).status == "unhealthy"
    assert only(engine).finding.english == "no answer within 2.5 s"
    assert only(engine).latency_ms is None
