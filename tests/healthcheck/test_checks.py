"""System checks name what is wrong in the settings, and how to mend it."""

import pytest
from django.core.checks import run_checks

from healthcheck.checks import health_probes, status_panels

FINE = {"name": "database", "probe": "tests.healthcheck.samples.fine"}
PANEL = {"title": "Rows", "template": "rows.html", "context": "tests.healthcheck.samples.fine"}


def found(check):
    return [(error.id, error.msg, error.hint) for error in check(None)]


def test_the_projects_own_settings_are_right():
    assert [error for error in run_checks() if error.id.startswith("healthcheck.")] == []


@pytest.mark.parametrize(
    ("entry", "identifier", "message", "hint"),
    [
        (
            FINE | {"timeuot_s": 1},
            "E001",
            "'timeuot_s' in 'database' is not known",
            "Did you mean 'timeout_s'?",
        ),
        (FINE | {"zzz": 1}, "E001", "'zzz' in 'database' is not known", "Known are "),
        ({"probe": FINE["probe"]}, "E001", "lacks 'name'", None),
        (FINE | {"ttl_s": 0}, "E005", "'ttl_s' of 'database' must be a number of seconds above 0", None),
        (FINE | {"timeout_s": "2"}, "E005", "'timeout_s' of 'database' must be", None),
        (FINE | {"timeout_s": None}, "E005", "'timeout_s' of 'database' must be", None),
        (FINE | {"slow_ms": 0}, "E005", "'slow_ms' of 'database' must be a number of milliseconds", None),
        ({"name": "database"}, "E001", "'database' lacks 'probe'", None),
        (
            FINE | {"probe": "tests.healthcheck.samples.fien"},
            "E002",
            "'tests.healthcheck.samples.fien' cannot be imp",
            "Give",
        ),
        (
            FINE | {"probe": "nowhere.at.all"},
            "E002",
            "'nowhere.at.all' cannot be imported",
            "Give the dotted path",
        ),
        (FINE | {"probe": "tests.healthcheck.samples.PLANTED_SECRET"}, "E002", "is not a function", None),
        (
            FINE | {"evidence": "nowhere.at.all"},
            "E002",
            "'nowhere.at.all' cannot be imported",
            "Give the dotted path",
        ),
        (
            FINE | {"needs": ("databse",)},
            "E003",
            "needs 'databse', which is not a component listed before",
            None,
        ),
    ],
)
def test_a_wrong_probe_is_named(settings, entry, identifier, message, hint):
    settings.HEALTH_PROBES = [entry]

    ((found_id, found_message, found_hint),) = found(health_probes)

    assert found_id == f"healthcheck.{identifier}"
    assert message in found_message
    assert (hint or "") in (found_hint or "")


def test_a_misspelt_need_gets_a_hint(settings):
    settings.HEALTH_PROBES = [FINE, FINE | {"name": "scheduler", "needs": ("databse",)}]

    ((_, _, hint),) = found(health_probes)

    assert hint == "Did you mean 'database'?"


def test_a_name_given_twice_is_wrong(settings):
    settings.HEALTH_PROBES = [FINE, FINE]

    assert found(health_probes) == [("healthcheck.E004", "HEALTH_PROBES names 'database' twice.", None)]


@pytest.mark.parametrize(
    ("entry", "identifier"),
    [
        (PANEL | {"titel": "x"}, "E001"),
        (PANEL | {"context": "tests.healthcheck.samples.nowhere"}, "E002"),
        (PANEL | {"needs": ("scheduler",)}, "E003"),
        (PANEL | {"place": "left"}, "E006"),
        ({"context": "tests.healthcheck.samples.fine", "title": "x"}, "E001"),
    ],
)
def test_a_wrong_panel_is_named(settings, entry, identifier):
    settings.HEALTH_PROBES = [FINE]
    settings.STATUS_PANELS = [PANEL | {"needs": ("database",)}, entry]

    ((found_id, _, _),) = found(status_panels)

    assert found_id == f"healthcheck.{identifier}"
