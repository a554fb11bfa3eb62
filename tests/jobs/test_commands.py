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


def test_runjob_prints_counts_and_logs_one_metric(capsys, metrics):
    call_command("runjob", "good")

    first, *counts = capsys.readouterr().out.splitlines()
    assert first.startswith("good: succeeded in ")
    assert counts == ["  rows     2", "  markets  1"]
    assert [(metric["job_name"], metric["success"]) for metric in metrics()] == [("good", True)]


def test_runjob_prints_its_outcome_as_json(capsys):
    call_command("runjob", "good", "--json")

    outcome = json.loads(capsys.readouterr().out)
    assert outcome.pop("duration_ms") >= 0
    assert outcome == {
        "job_name": "good",
        "success": True,
        "counts": {"rows": 2, "markets": 1},
        "error": None,
    }


def test_runjob_fails_when_the_job_fails(metrics):
    with pytest.raises(CommandError, match="broken failed: RuntimeError: cannot work") as error:
        call_command("runjob", "broken")

    assert error.value.returncode == 1
    assert [metric["success"] for metric in metrics()] == [False]


def test_runjob_records_the_run_and_no_tick():
    JobState.objects.create(job_name="broken", last_tick=NOON, running_since=NOON)
    with pytest.raises(CommandError):
        call_command("runjob", "broken")

    state = JobState.objects.get(job_name="broken")
    assert (state.last_tick, state.running_since) == (NOON, NOON)
    assert (state.runs, state.consecutive_failures) == (1, 1)
    assert state.last_finished_at is not None


def test_runjob_names_the_known_jobs_for_an_unknown_one():
    with pytest.raises(
        CommandError, match=r"There is no job 'nothing'\. Registered: good, broken, blocking, interrupted"
    ):
        call_command("runjob", "nothing")


def test_interrupted_runjob_still_logs_the_metric(metrics):
    with pytest.raises(KeyboardInterrupt):
        call_command("runjob", "interrupted")

    assert [metric["error"] for metric in metrics()] == ["KeyboardInterrupt"]


def supervise(stop):
    output = io.StringIO()
    return runscheduler.Command(stderr=output).supervise(stop), output.getvalue()


def test_scheduler_that_is_stopped_at_once_prints_nothing():
    stop = threading.Event()
    stop.set()

    assert supervise(stop) == (0, "")


def test_scheduler_without_live_keys_refuses_to_start(settings):
    settings.LIVE, settings.GEMINI_API_KEY = True, ""

    code, output = supervise(threading.Event())

    assert code == 2
    assert "GEMINI_API_KEY is not set" in output


def test_scheduler_on_the_other_modes_database_refuses_to_start(settings):
    settings.TRADING_MODE = "live"

    code, output = supervise(threading.Event())

    assert code == 2
    assert "belongs to sandbox mode" in output


def test_scheduler_behind_a_pooler_names_the_variable_to_set(monkeypatch):
    monkeypatch.setattr(lock, "_HOLDS", lock._HOLDS.replace("pg_backend_pid()", "pg_backend_pid() + 1"))

    code, output = supervise(threading.Event())

    assert code == 2
    assert "DATABASE_DIRECT_URL" in output


@pytest.mark.parametrize("command", ["runjob", "runscheduler"])
def test_help_says_what_each_command_does(command):
    assert (
        "Run "
        in load_command_class("tradingsite.jobs", command).create_parser("manage.py", command).format_help()
    )


def test_runjob_refuses_the_other_modes_database(settings):
    settings.TRADING_MODE = "live"

    with pytest.raises(CommandError, match="belongs to sandbox mode"):
        call_command("runjob", "good")
    assert not JobState.objects.exists()


def test_runjob_reports_an_outcome_that_cannot_be_recorded(capsys):
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
