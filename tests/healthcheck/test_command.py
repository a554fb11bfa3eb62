"""`manage.py healthcheck`: for people, for programs, for cron."""

import io
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.utils import translation

from healthcheck.engine.engine import forget_engine
from healthcheck.models import HealthResult
from healthcheck.pages.status_page import status_page
from healthcheck.report import DetailedHealthResponse
from tests.healthcheck.processes import python


@pytest.fixture
def probes(settings):
    settings.HEALTH_ABILITIES = []

    def use(*names):
        settings.HEALTH_PROBES = [
            {"name": f"{name}_one", "probe": f"tests.healthcheck.samples.{name}", "timeout_s": 30}
            for name in names
        ]

    return use


def run(*arguments):
    out = io.StringIO()
    code = 0
    try:
        call_command("healthcheck", *arguments, stdout=out)
    except CommandError as error:
        code = error.returncode
    return code, out.getvalue()


@pytest.mark.parametrize(
    ("names", "arguments", "code"),
    [
        (["fine"], [], 0),
        (["fine", "warns"], [], 0),
        (["fine", "warns"], ["--fail-on", "unhealthy"], 0),
        (["fine", "warns"], ["--fail-on", "warning"], 1),
        (["fine"], ["--fail-on", "warning"], 0),
        (["warns", "crashes"], [], 1),
        (["warns", "crashes"], ["--fail-on", "warning"], 1),
    ],
)
def test_the_exit_status_follows_fail_on(probes, names, arguments, code):
    probes(*names)

    assert run(*arguments)[0] == code


def test_the_table_is_aligned_and_needs_no_colour(probes):
    probes("fine", "warns", "crashes")

    _, text = run()

    head, empty, *rows = text.splitlines()
    assert head.startswith("Unhealthy: ")
    assert empty == ""
    assert [row.split()[:2] for row in rows] == [
        ["fine_one", "Healthy"],
        ["warns_one", "Warning"],
        ["crashes_one", "Unhealthy"],
    ]
    texts = ("took 3 steps", "late by 90 s", "the probe failed")
    assert len({row.index(text) for row, text in zip(rows, texts, strict=True)}) == 1
    assert "\x1b" not in text


def test_the_table_is_aligned_in_korean_too(probes):
    probes("fine", "warns")

    with translation.override("ko"):
        _, text = run()

    rows = text.splitlines()[2:]
    widths = [sum(2 if ord(letter) > 0x1100 else 1 for letter in row[: row.index(" ms  ")]) for row in rows]
    assert len(set(widths)) == 1


def test_json_is_the_detailed_answer_for_staff_in_english(probes):
    probes("fine", "crashes")

    with translation.override("ko"):
        code, text = run("--json")

    report = DetailedHealthResponse.model_validate_json(text)
    assert code == 1
    assert [component.message for component in report.components] == [
        "took 3 steps at 10.1.2.3",
        "the probe failed; see the log",
    ]


def test_a_result_from_before_is_printed_with_its_age(probes, settings, transactional_db):
    settings.HEALTH_PROBES = [
        {"name": "fine_one", "probe": "tests.healthcheck.samples.fine", "shared": True, "ttl_s": 600}
    ]
    run()
    HealthResult.objects.update(measured_at=Now() - timedelta(seconds=90))
    forget_engine()

    assert "(90 s ago)" in run()[1]


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit):
        call_command("healthcheck", "--help")

    assert "manage.py healthcheck --fail-on warning" in capsys.readouterr().out


@pytest.fixture(scope="module")
def process(django_db_setup, django_db_blocker):
    """A real process with the project's own probes and one that hangs; `importtime` lists what it imports."""
    known = ("name", "probe", "ttl_s", "ttl_bad_s", "needs", "shared")
    probes = [
        {key: entry[key] for key in known if key in entry} | {"timeout_s": 30}
        for entry in settings.HEALTH_PROBES
    ]
    probes[0]["probe"] = "tests.healthcheck.samples.database"
    probes.append({"name": "stuck", "probe": "tests.healthcheck.samples.hangs", "timeout_s": 0.5})
    with django_db_blocker.unblock():
        return python("-X", "importtime", "manage.py", "healthcheck", "--json", probes=probes)


def test_a_probe_that_hangs_does_not_hold_up_the_end_of_the_process(process):
    components = json.loads(process.stdout)["components"]

    assert (components[0]["name"], components[0]["status"]) == ("database", "healthy")
    assert components[-1]["name"] == "stuck"
    assert components[-1]["message"].startswith(("no answer within 0.5 s", "still running after"))
    assert process.returncode == 1
    assert "CommandError: Unhealthy: " in process.stderr


def test_the_command_and_the_projects_own_probes_do_not_import_the_models_sdk(process):
    assert "healthcheck.engine.engine" in process.stderr
    assert "google.generativeai" not in process.stderr


def test_the_trading_line_stands_above_the_table(probes, settings):
    probes("fine", "crashes")
    settings.HEALTH_ABILITIES = [{"name": "decide", "label": "Decide", "needs": ("crashes_one",)}]

    assert run()[1].splitlines()[1] == "Can we trade right now? No. Decide: No"


def test_only_selected_components_count(probes):
    probes("fine", "crashes")

    assert run("--exclude", "crashes_one")[0] == 0
    code, text = run("--only", "fine_one", "--json")
    assert (code, [each["name"] for each in json.loads(text)["components"]]) == (0, ["fine_one"])


def test_an_unknown_name_is_refused_with_the_known_ones(probes):
    probes("fine")

    with pytest.raises(CommandError, match="unknown: finn; existing components: fine_one"):
        call_command("healthcheck", "--only", "finn")


def test_colours_are_for_terminals_and_change_no_word(probes):
    probes("fine", "warns")
    out = io.StringIO()
    call_command("healthcheck", stdout=out, force_color=True)

    plain = re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())
    assert "\x1b[" in out.getvalue()
    assert [line.split()[:2] for line in plain.splitlines()[2:]] == [
        ["fine_one", "Healthy"],
        ["warns_one", "Warning"],
    ]


def test_a_result_that_is_too_old_fails(probes, monkeypatch):
    probes("fine")
    assert run("--max-age", "60")[0] == 0
    shown = status_page

    def of_yesterday(*arguments, **options):
        page = shown(*arguments, **options)
        return replace(page, components=tuple(replace(each, age_s=90.0) for each in page.components))

    monkeypatch.setattr("healthcheck.management.commands.healthcheck.status_page", of_yesterday)
    with pytest.raises(CommandError, match=r"older than 60 s: fine_one \(90 s\)"):
        call_command("healthcheck", "--max-age", "60", stdout=io.StringIO())


def test_watching_repeats_until_it_is_interrupted(probes, monkeypatch):
    probes("fine")
    pauses = []

    def wait(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("healthcheck.management.commands.healthcheck.time.sleep", wait)

    code, text = run("--watch", "5")

    assert (code, pauses, text.count("All is well")) == (0, [5, 5, 5], 3)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_pause_must_be_a_time(seconds):
    with pytest.raises(CommandError, match="--watch"):
        call_command("healthcheck", "--watch", seconds)
