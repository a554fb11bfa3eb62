import json
import re
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models.functions import Now

from tests.jobs.conftest import COMMITTED, until
from tests.jobs.reporting.test_status import lead
from tradingsite.jobs import control
from tradingsite.jobs.models import JobEvent, JobState
from tradingsite.jobs.timetable import registered

NAME = "collect_market_data"


def jobs(capsys, *words):
    call_command("jobs", *words)
    return capsys.readouterr().out


def refused(*words):
    with pytest.raises(CommandError) as error:
        call_command("jobs", *words)
    return error.value.returncode, str(error.value)


@pytest.mark.django_db
def test_list_shows_every_job_and_the_leader(capsys):
    assert "No scheduler has ever run." in jobs(capsys, "list")
    lead()

    first = jobs(capsys, "list").splitlines()[0]
    assert first.startswith("trader-1 leads since")
    assert first.endswith("standing by: 0")
    report = json.loads(jobs(capsys, "list", "--json"))
    assert report["leader"]["alive"] is True
    assert report["leader"]["since"].endswith("Z")
    assert report["jobs"][0]["job"] == NAME
    assert report["jobs"][0]["last_24_h"]["runs"] == 0


@pytest.mark.django_db
def test_piped_list_has_one_plain_line_a_job(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("FORCE_COLOR", "1")

    text = jobs(capsys, "list")

    assert "\x1b" not in text
    for name in registered():
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        assert re.split(" {2,}", line) == [name, "not run yet", "-", "-", "-", "-", "-"]


@pytest.mark.django_db
def test_job_is_paused_shown_resumed_and_its_history_listed(capsys):
    assert NAME in jobs(capsys, "pause", NAME, "--reason", "rebuild", "--by", "ann")
    shown = json.loads(jobs(capsys, "show", NAME, "--json"))
    assert (shown["state"], shown["pause_reason"], shown["paused_by"]) == (
        "paused",
        "rebuild",
        "ann",
    )
    assert re.search("pause_reason +rebuild\n", jobs(capsys, "show", NAME))
    assert refused("pause", NAME, "--reason", "again") == (3, f"{NAME} is paused already: rebuild")

    jobs(capsys, "resume", NAME, "--by", "ann")
    assert refused("resume", NAME) == (3, f"{NAME} is not paused.")
    assert [event["kind"] for event in json.loads(jobs(capsys, "history", NAME, "--json"))] == [
        "resumed",
        "paused",
    ]
    assert "paused (ann)  rebuild" in jobs(capsys, "history", NAME)


@pytest.mark.django_db
def test_operators_pause_replaces_a_quarantine(capsys):
    JobState.objects.create(job_name=NAME, paused=True, pause_reason="quarantine: 3 times")
    jobs(capsys, "pause", NAME, "--reason", "let it be", "--by", "ann")

    assert JobState.objects.get().pause_reason == "operator: let it be"


@pytest.mark.django_db
def test_run_without_a_leader_is_refused():
    code, text = refused("run", NAME)

    assert (code, "No scheduler leads" in text) == (4, True)
    assert not JobEvent.objects.exists()


@pytest.mark.django_db
def test_run_of_a_paused_job_and_second_request_are_refused(capsys):
    lead()
    control.pause(NAME, "rebuild", "ann")
    assert refused("run", NAME, "--by", "bob") == (3, f"{NAME} is paused: rebuild. Resume it first.")
    control.resume(NAME, "ann")

    jobs(capsys, "run", NAME, "--no-wait", "--by", "bob")
    code, text = refused("run", NAME, "--no-wait", "--by", "eve")
    assert (code, "already, by bob" in text) == (3, True)


@pytest.mark.django_db
def test_request_that_is_not_started_in_time_is_withdrawn():
    lead()
    code, text = refused("run", NAME, "--timeout-s", "0", "--by", "bob")

    assert (code, "withdrawn" in text) == (1, True)
    assert JobState.objects.get().run_requested_at is None


def _run_as_the_leader_would(**result):
    rows = JobState.objects.filter(job_name=NAME)
    try:
        until(lambda: rows.filter(run_requested_at__isnull=False).exists())
        rows.update(run_requested_at=None, running_since=Now(), last_tick=Now())
        rows.update(running_since=None, last_finished_at=Now(), last_duration_ms=12, **result)
    finally:
        connections.close_all()


@COMMITTED
@pytest.mark.parametrize(
    ("error", "word"),
    [("", "succeeded"), ("Unreachable: no answer", "failed"), ("aborted: its process ended", "aborted")],
)
def test_run_waits_for_the_result_and_exits_with_it(capsys, error, word):
    lead()
    result = {"last_success": not error, "last_error": error}
    leader = threading.Thread(target=_run_as_the_leader_would, kwargs=result)
    leader.start()
    if not error:
        report = json.loads(jobs(capsys, "run", NAME, "--json", "--by", "bob"))
        assert (report["success"], report["duration_ms"]) == (True, 12)
    else:
        assert refused("run", NAME, "--by", "bob") == (1, "The run failed.")
        assert capsys.readouterr().out.splitlines() == [f"{NAME} {word}, 12 ms", error]
    leader.join()


def _paused_meanwhile():
    try:
        until(lambda: JobState.objects.filter(run_requested_at__isnull=False).exists())
        control.pause(NAME, "rebuild", "ann")
    finally:
        connections.close_all()


@COMMITTED
def test_run_stops_waiting_when_the_job_is_paused():
    lead()
    operator = threading.Thread(target=_paused_meanwhile)
    operator.start()
    code, text = refused("run", NAME, "--by", "bob")
    operator.join()

    assert (code, "was paused meanwhile: rebuild" in text) == (3, True)


def _gone_meanwhile():
    try:
        until(lambda: JobState.objects.filter(run_requested_at__isnull=False).exists())
        lead(silent_s=60)
    finally:
        connections.close_all()


@COMMITTED
def test_run_reports_that_the_leader_is_gone():
    lead()
    killer = threading.Thread(target=_gone_meanwhile)
    killer.start()
    code, text = refused("run", NAME, "--by", "bob", "--timeout-s", "2")
    killer.join()

    assert code == 4
    assert text.endswith("the request is withdrawn. No scheduler leads.")


@pytest.mark.django_db
def test_author_is_the_system_user_or_must_be_given(capsys, monkeypatch):
    monkeypatch.setenv("SUDO_USER", "carol")
    jobs(capsys, "pause", NAME, "--reason", "rebuild")
    assert JobState.objects.get().paused_by == "carol"

    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert refused("resume", NAME) == (1, "This user has no name: give one with --by.")
    assert JobState.objects.get().paused


@pytest.mark.django_db
def test_command_refuses_the_other_modes_database(settings):
    settings.TRADING_MODE = "live"

    code, text = refused("pause", NAME, "--reason", "rebuild", "--by", "ann")
    assert (code, "belongs to sandbox mode" in text) == (1, True)
    assert not JobEvent.objects.exists()


@pytest.mark.django_db
def test_long_reason_and_unknown_job_are_refused():
    assert refused("pause", NAME, "--reason", "x" * 401, "--by", "ann") == (
        3,
        "The reason has 401 characters, limit 400.",
    )
    with pytest.raises(control.NotAllowed, match="There is no job nothing"):
        control.resume("nothing", "ann")


@pytest.mark.django_db
def test_list_says_that_no_scheduler_leads(capsys):
    lead(silent_s=60)

    assert "No scheduler leads: trader-1 was last alive 60" in jobs(capsys, "list")
