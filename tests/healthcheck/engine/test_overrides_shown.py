"""A maintenance and a rehearsal as every reader sees them, and what `/readyz` makes of them."""

import ast
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import translation

from healthcheck.engine.engine import forget_engine
from tests.healthcheck.conftest import BEARER, DETAIL
from tests.healthcheck.imposing import impose

REHEARSAL = "REHEARSAL until "


@pytest.fixture
def imposed(site, transactional_db):
    """Impose something on the site; every process reads it with its next snapshot."""

    def on(component, kind, **paths):
        site(**paths)
        impose(kind, component)
        forget_engine()

    yield on
    forget_engine()


def detail(client):
    response = client.get(DETAIL, headers=BEARER)
    return response.status_code, {each["name"]: each for each in response.json()["components"]}


def test_a_rehearsed_failure_is_a_503_that_says_so(imposed, client):
    imposed("upbit_api", "fail")

    status, components = detail(client)

    assert status == 503
    upbit = components["upbit_api"]
    assert upbit["status"] == "unhealthy"
    assert upbit["message"].startswith(REHEARSAL)
    assert "(kim): new disks" in upbit["message"]


def test_a_maintenance_is_no_503(imposed, client):
    imposed("upbit_api", "maintenance", upbit_api="tests.healthcheck.samples.crashes")

    status, components = detail(client)

    assert (status, components["upbit_api"]["status"]) == (200, "healthy")
    assert "the probe failed; see the log" in components["upbit_api"]["message"]


@pytest.mark.parametrize(
    ("kind", "probe", "ready"),
    [
        ("maintenance", "fine", 200),
        ("maintenance", "warns", 503),
        ("maintenance", "crashes", 503),
        ("warn", "fine", 503),
        ("fail", "fine", 503),
    ],
)
def test_readyz_ignores_a_maintenance_and_obeys_a_rehearsal(imposed, client, kind, probe, ready):
    imposed("database", kind, database=f"tests.healthcheck.samples.{probe}")

    assert client.get("/readyz").status_code == ready


def test_staff_are_known_as_staff_while_the_database_only_seems_down(imposed, staff):
    imposed("database", "fail")

    page = staff.get(reverse("healthcheck:page"))

    assert page.status_code == 503
    assert page.context["page"].staff
    assert REHEARSAL in page.content.decode()
    assert staff.get(reverse("healthcheck:component", args=["database"])).json()["history"] is not None


@pytest.mark.parametrize(("kind", "word"), [("fail", "Rehearsal"), ("maintenance", "Maintenance")])
def test_the_page_marks_an_override_for_all_and_shows_staff_the_reason(imposed, client, staff, kind, word):
    imposed("upbit_api", kind)
    assert "new disks" in staff.get(reverse("healthcheck:page")).content.decode()
    client.logout()
    page = client.get(reverse("healthcheck:page")).content.decode()

    assert page.count(f">{word}</span>") == 1
    assert "new disks" not in page


def test_the_headline_names_a_rehearsal(imposed, client):
    imposed("upbit_api", "fail")

    page = client.get(reverse("healthcheck:page")).context["page"]

    assert page.headline == "Unhealthy: upbit_api (Rehearsal)"


def test_the_incident_text_marks_a_rehearsal_for_all(imposed, client):
    imposed("upbit_api", "fail")

    anybody = client.get(reverse("healthcheck:incident")).content.decode()
    incident = client.get(reverse("healthcheck:incident"), headers=BEARER).content.decode()

    assert "Unhealthy (Rehearsal)" in anybody
    assert REHEARSAL in incident


def test_the_command_shows_a_rehearsal(imposed):
    imposed("upbit_api", "warn")
    out = StringIO()

    with translation.override("en"):
        call_command("healthcheck", stdout=out)

    line = next(line for line in out.getvalue().splitlines() if line.startswith("upbit_api"))
    assert "Warning (Rehearsal)" in line
    assert REHEARSAL in line


def test_the_command_fails_with_a_rehearsed_failure(imposed):
    imposed("upbit_api", "fail")

    with pytest.raises(CommandError):
        call_command("healthcheck", as_json=True, stdout=StringIO())


def test_the_component_api_names_the_override(imposed, client):
    imposed("upbit_api", "maintenance")

    url = reverse("healthcheck:component", args=["upbit_api"])
    answer = client.get(url, headers=BEARER).json()

    assert (answer["override"], answer["paused"], answer["status"]) == ("maintenance", True, "healthy")


def test_metrics_include_the_override(imposed, client):
    imposed("upbit_api", "fail")
    text = client.get("/metrics", headers=BEARER).content.decode()

    assert 'health_component_override{component="upbit_api",kind="rehearsal"} 1.0' in text
    assert 'health_component_override{component="upbit_api",kind="maintenance"} 0.0' in text


def test_the_trader_never_reads_values_that_an_override_changes():
    """A rehearsal changes what is shown; trading decides by the facts themselves."""
    shown = {
        "healthcheck.engine.engine",
        "healthcheck.snapshot",
        "healthcheck.engine.active_overrides",
        "healthcheck.engine.override_layer",
    }
    shown |= {
        "healthcheck.pages.status_page",
        "healthcheck.abilities",
        "healthcheck.models",
        "healthcheck.overrides",
    }
    for file in (Path(django_settings.BASE_DIR) / "tradingsite").rglob("*.py"):
        source = file.read_text()
        for node in ast.walk(ast.parse(source)) if "healthcheck" in source else ():
            if isinstance(node, ast.Import):
                assert not shown & {name.name for name in node.names}, file
            if isinstance(node, ast.ImportFrom) and not node.level:
                module = node.module or ""
                names = {module, *(f"{module}.{name.name}" for name in node.names)}
                assert not shown & names, file
