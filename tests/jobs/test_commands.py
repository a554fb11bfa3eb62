import io
import json
import threading

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection

from tests.jobs.conftest import COMMITTED, NOON
from tradingsite.jobs.management.commands import runscheduler
from tradingsite.jobs.models import JobState
from tradingsite.jobs.scheduler import lock

pytestmark = COMMITTED


@pytest.fixture(autouse=True)
def timetable(settings):
    settings.JOBS_SCHEDULE = "tests.jobs.timetables.RARE"


def test_a_job_run_by_hand_prints_its_counts_and_leaves_one_metric(capsys, metrics):
    call_command("runjob", "good")

    first, *counts = capsys.readouterr().out.splitlines()
    assert first.startswith("good: succeeded in ")
    assert counts == ["  rows     2", "  markets  1"]
    assert [(metric["job_name"], metric["success"]) for metric in metrics()] == [("good", True)]


def test_its_outcome_as_json(capsys):
    call_command("runjob", "good", "--json")

    outcome = json.loads(capsys.readouterr().out)
    assert outcome.pop("duration_ms") >= 0
    assert outcome == {
        "job_name": "good",
        "success": True,
        "counts": {"rows": 2, "markets": 1},
        "error": None,
    }


def test_a_job_that_fails_is_a_failing_command(metrics):
    with pytest.raises(CommandError, match="broken failed: RuntimeError: cannot work") as error:
        call_command("runjob", "broken")

    assert error.value.returncode == 1
    assert [metric["success"] for metric in metrics()] == [False]


def test_a_run_by_hand_is_recorded_and_is_no_tick():
    JobState.objects.create(job_name="broken", last_tick=NOON, running_since=NOON)
    with pytest.raises(CommandError):
        call_command("runjob", "broken")

    state = JobState.objects.get(job_name="broken")
    assert (state.last_tick, state.running_since) == (NOON, NOON)
    assert (state.runs, state.consecutive_failures) == (1, 1)
    assert state.last_finished_at is not None


def test_an_unknown_job_is_an_error_that_names_the_known_ones():
    with pytest.raises(
        CommandError, match=r"There is no job 'nothing'\. Registered: good, broken, held, interrupted"
    ):
        call_command("runjob", "nothing")


def test_an_interrupt_by_hand_ends_the_command_and_still_leaves_the_metric(metrics):
    with pytest.raises(KeyboardInterrupt):
        call_command("runjob", "interrupted")

    assert [metric["error"] for metric in metrics()] == ["KeyboardInterrupt"]


def supervise(stop):
    said = io.StringIO()
    return runscheduler.Command(stderr=said).supervise(stop), said.getvalue()


def test_a_scheduler_that_is_told_to_stop_at_once_has_nothing_to_say():
    stop = threading.Event()
    stop.set()

    assert supervise(stop) == (0, "")


def test_a_scheduler_without_the_keys_of_live_mode_refuses_to_start(settings):
    settings.LIVE, settings.GEMINI_API_KEY = True, ""

    code, said = supervise(threading.Event())

    assert code == 2
    assert "GEMINI_API_KEY is not set" in said


def test_a_scheduler_on_another_mode_s_database_refuses_to_start(settings):
    settings.TRADING_MODE = "live"

    code, said = supervise(threading.Event())

    assert code == 2
    assert "belongs to sandbox mode" in said


def test_a_scheduler_behind_a_pooler_refuses_to_start_and_says_what_to_set(monkeypatch):
    monkeypatch.setattr(lock, "_HOLDS", lock._HOLDS.replace("pg_backend_pid()", "pg_backend_pid() + 1"))

    code, said = supervise(threading.Event())

    assert code == 2
    assert "DATABASE_DIRECT_URL" in said


@pytest.mark.parametrize("command", ["runjob", "runscheduler"])
def test_each_command_says_what_it_does(command):
    assert (
        "Run "
        in load_command_class("tradingsite.jobs", command).create_parser("manage.py", command).format_help()
    )


def test_another_mode_s_database_is_refused(settings):
    settings.TRADING_MODE = "live"

    with pytest.raises(CommandError, match="belongs to sandbox mode"):
        call_command("runjob", "good")
    assert not JobState.objects.exists()


def test_an_outcome_that_cannot_be_recorded_is_told_and_the_job_has_run(capsys):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE job_state ADD CONSTRAINT refusing CHECK (runs = 0)")
    try:
        call_command("runjob", "good")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE job_state DROP CONSTRAINT refusing")

    out, err = capsys.readouterr()
    assert out.startswith("good: succeeded")
    assert "The outcome could not be recorded" in err
