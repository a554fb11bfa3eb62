"""The JSON answers: statuses, who sees what, and what must never go wrong at the edge."""

import json
import time

import pytest
from jsonschema import Draft202012Validator
from structlog.testing import capture_logs

from healthcheck.report import DetailedHealthResponse
from tests.healthcheck.conftest import BEARER, DETAIL, ENOUGH_S, TOKEN, sign_in
from tests.healthcheck.databases import frozen, unreachable
from tests.healthcheck.samples import PLANTED_SECRET

pytestmark = pytest.mark.usefixtures("site")


@pytest.mark.parametrize(
    ("probe", "status", "code"),
    [("fine", "healthy", 200), ("warns", "degraded", 200), ("crashes", "unhealthy", 503)],
)
def test_the_status_alone_and_its_http_status(client, site, probe, status, code):
    site(recent_order=f"tests.healthcheck.samples.{probe}")

    response = client.get("/api/v1/health")

    assert (response.status_code, response.json()) == (code, {"status": status})
    assert response["Content-Type"] == "application/json"
    assert "no-store" in response["Cache-Control"]


def test_the_detail_is_the_published_schema_in_the_configured_order(client, settings):
    response = client.get(DETAIL, headers=BEARER)

    report = DetailedHealthResponse.model_validate_json(response.content)
    assert [component.name for component in report.components] == [
        entry["name"] for entry in settings.HEALTH_PROBES
    ]
    assert report.version == settings.VERSION
    assert report.components[0].message == "took 3 steps at 10.1.2.3"
    assert report.components[0].latency_ms is not None
    assert list(response.json()) == ["status", "timestamp", "version", "components"]
    assert list(response.json()["components"][0]) == ["name", "status", "latency_ms", "message"]


@pytest.mark.parametrize("headers", [{}, BEARER])
def test_every_audiences_detail_validates_against_the_schema_as_it_is_published(client, headers):
    schema = client.get("/api/v1/health/schema").json()
    detail = client.get("/api/v1/health/detail", headers=headers).json()

    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    validator.check_schema(schema)
    assert list(validator.iter_errors(detail)) == []
    assert list(validator.iter_errors({**detail, "components": detail["components"][1:]}))
    assert list(validator.iter_errors({**detail, "more": 1}))


def test_anyone_may_read_the_schema(client):
    response = client.get("/api/v1/health/schema")

    assert response["Content-Type"] == "application/schema+json"
    assert set(response.json()["required"]) == {"status", "timestamp", "version", "components"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \xe4\xf6"},
    ],
)
def test_an_anonymous_caller_gets_names_and_states_only(client, site, headers):
    site(gemini_api="tests.healthcheck.samples.crashes", upbit_api="tests.healthcheck.samples.warns")

    response = client.get(DETAIL, headers=headers)

    assert response.status_code == 503
    states = [component.pop("status") for component in response.json()["components"]]
    assert states.count("healthy") == len(states) - 2
    for component in response.json()["components"]:
        assert (component["latency_ms"], component["message"]) == (None, None)
    for hidden in ("steps", "10.1.2.3", "late by", PLANTED_SECRET):
        assert hidden not in response.content.decode()


@pytest.mark.django_db
def test_a_forged_session_is_anonymous(client):
    assert "10.1.2.3" not in client.get(DETAIL, headers={"Cookie": "sessionid=forged"}).content.decode()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_bearer_of_the_token_gets_messages_and_latencies(client, scheme):
    response = client.get(DETAIL, headers={"Authorization": f"{scheme} {TOKEN}"})

    assert "10.1.2.3" in response.content.decode()


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_configured_token_an_empty_token_is_refused(client, settings, token):
    settings.HEALTH_TOKEN = token

    response = client.get(DETAIL, headers={"Authorization": "Bearer "})

    assert "10.1.2.3" not in response.content.decode()


def test_staff_get_messages_and_latencies(staff):
    assert "10.1.2.3" in staff.get(DETAIL).content.decode()


def test_staff_are_known_inside_an_open_transaction_too(client, db):
    sign_in(client, is_staff=True)

    assert "10.1.2.3" in client.get(DETAIL).content.decode()


@pytest.mark.parametrize("flags", [{}, {"is_staff": True, "is_active": False}])
def test_other_users_get_the_anonymous_answer(client, flags, db):
    sign_in(client, **flags)

    assert "10.1.2.3" not in client.get(DETAIL).content.decode()


def test_no_audience_ever_sees_the_text_of_an_exception(client, site, db):
    site(gemini_api="tests.healthcheck.samples.crashes")
    sign_in(client, is_staff=True)

    for response in (client.get(DETAIL), client.get(DETAIL, headers=BEARER), client.get("/status/")):
        assert PLANTED_SECRET not in response.content.decode()
        assert "the probe failed; see the log" in response.content.decode()


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=x", "\x00", ""])
@pytest.mark.parametrize("query", ["", "?format=xml"])
def test_whatever_is_accepted_the_answer_is_json(client, accept, query):
    response = client.get(f"{DETAIL}{query}", headers={"Accept": accept})

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_json_is_english_whatever_language_is_asked_for(client, site):
    site(recent_order="tests.healthcheck.samples.crashes")

    response = client.get(DETAIL, headers={**BEARER, "Accept-Language": "ko"})

    messages = {component["name"]: component["message"] for component in response.json()["components"]}
    assert messages["recent_order"] == "the probe failed; see the log"


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/health/", DETAIL, f"{DETAIL}/", "/status/"])
def test_only_safe_methods_are_taken_and_nothing_is_redirected(client, path):
    assert client.get(path).status_code == 200
    assert client.head(path).content == b""
    for method in ("post", "put", "delete", "options"):
        assert getattr(client, method)(path).status_code == 405


def test_a_failing_health_check_is_a_json_500_without_the_reason(client, settings):
    settings.HEALTH_PROBES = [{"nom": PLANTED_SECRET}]

    with capture_logs() as logs:
        response = client.get(DETAIL)

    assert (response.status_code, response.json()) == (500, {"error": "health check could not run"})
    assert "no-store" in response["Cache-Control"]
    assert [log["event"] for log in logs] == ["health.broken"]


def test_an_unhealthy_site_is_not_logged_at_every_poll(client, site, caplog):
    site(recent_order="tests.healthcheck.samples.warns", database="tests.healthcheck.samples.nowhere")
    client.get(DETAIL)
    caplog.clear()

    for path in (DETAIL, "/api/v1/health", "/status/", "/readyz"):
        assert client.get(path).status_code == 503

    assert caplog.records == []


def recovers(client):
    """Poll until the site is ready again."""
    ends_s = time.monotonic() + ENOUGH_S
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < ends_s


def test_staff_get_an_answer_while_the_database_is_unreachable(staff, settings, tmp_path):
    settings.HEALTH_PROBES = [
        {"name": "database", "probe": "healthcheck.probes.database", "timeout_s": 30, "ttl_bad_s": 0.1}
    ]
    with unreachable(tmp_path):
        detail, page = staff.get(DETAIL), staff.get("/status/")
    recovers(staff)

    assert (detail.status_code, page.status_code) == (503, 503)
    assert json.loads(detail.content)["components"][0] == {
        "name": "database",
        "status": "unhealthy",
        "latency_ms": None,
        "message": None,
    }


def test_staff_whose_session_cannot_be_read_get_the_anonymous_answer(staff, tmp_path):
    staff.get(DETAIL)  # kept: nothing knows yet that the database is away
    with unreachable(tmp_path):
        assert "10.1.2.3" not in staff.get(DETAIL).content.decode()


def test_a_frozen_database_delays_no_answer(staff, settings):
    settings.HEALTH_PROBES = [
        {
            "name": "database",
            "probe": "healthcheck.probes.database",
            "timeout_s": 0.5,
            "ttl_s": 60,
            "ttl_bad_s": 60,
        },
        {"name": "exchange", "probe": "tests.healthcheck.samples.fine", "timeout_s": 30, "shared": True},
    ]
    with frozen():
        ready, live = staff.get("/readyz"), staff.get("/livez")
        detail = staff.get(DETAIL, headers=BEARER)
        page = staff.get("/status/")

    assert (ready.status_code, live.status_code, page.status_code) == (503, 200, 503)
    components = detail.json()["components"]
    assert components[0]["message"].startswith(("no answer within 0.5 s", "still running after"))
    assert components[1]["status"] == "healthy"


def test_a_database_that_froze_just_now_delays_no_answer(staff):
    staff.get(DETAIL)  # kept: everything is healthy
    with frozen():
        response = staff.get(DETAIL)
        again = staff.get(DETAIL)

    assert response.status_code == again.status_code == 200
    assert "10.1.2.3" not in response.content.decode()


def test_livez_and_readyz_answer_before_every_other_middleware(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["example.com"]

    for path in ("/livez", "/livez/", "/readyz", "/readyz/"):
        response = client.get(path, headers={"Host": "10.0.0.7:8000"})
        head = client.head(path, headers={"Host": "10.0.0.7:8000"})
        assert (response.status_code, response.content) == (200, b'{"status":"healthy"}')
        assert (head.status_code, head.content) == (200, b"")
        assert response["Cache-Control"] == "no-store"
        assert not response.cookies
        assert client.post(path).status_code == 405


@pytest.mark.parametrize("state", ["crashes", "warns"])
def test_readyz_depends_on_a_healthy_database_only(client, site, state):
    site(upbit_api="tests.healthcheck.samples.crashes")
    assert client.get("/readyz").status_code == 200

    site(database=f"tests.healthcheck.samples.{state}")

    response = client.get("/readyz")
    assert (response.status_code, response.content) == (503, b'{"status":"unhealthy"}')
    assert client.get("/livez").status_code == 200


def test_readyz_without_a_database_component_is_a_json_500(client, settings):
    settings.HEALTH_PROBES = []

    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (500, {"error": "health check could not run"})


def test_livez_runs_no_probe(client, settings):
    settings.HEALTH_PROBES = [{"broken": True}]

    assert client.get("/livez").status_code == 200
