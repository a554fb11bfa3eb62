"""No address, format or audience shows a secret, a database's address or a path (docs/health.md, 26)."""

import io
import json
from itertools import chain

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from healthcheck.alerts.messages import AlertChange, body
from healthcheck.models import HealthTransition
from healthcheck.redaction import redacted, redacted_text
from healthcheck.report import Fact, Finding
from tests.healthcheck import samples

BEARER = {"Authorization": "Bearer a-token-for-monitors"}
PLANTED = {
    "secret": "planted-secret-4711",
    "password": "planted-password-0815",
    "folder": "/srv/planted/var",
}
SECRET_TEXT = (
    f"rejected {PLANTED['secret']} of postgresql://kim:{PLANTED['password']}@db.planted.example:5432/trading;"
    f" cannot read {PLANTED['folder']}/secret-key; connection to server at"
    ' "db.planted.example" (10.9.8.7), port 5432 failed;'
    ' connection to server on socket "/planted/run/.s.PGSQL.5432" failed;'
    f" dbname=trading password={PLANTED['password']} user=kim"
)
NEVER = (*PLANTED.values(), "db.planted.example", "10.9.8.7", "/planted/run")


def addresses():
    """Return the name and the parameters of every address of the health app and of the jobs' pages."""
    resolver = get_resolver()
    entries = chain(
        _patterns(
            next(each for each in resolver.url_patterns if getattr(each, "app_name", "") == "healthcheck")
        ),
        [
            each
            for each in resolver.url_patterns
            if isinstance(each, URLPattern) and "status/" in str(each.pattern)
        ],
    )
    return [entry for entry in entries if entry.name]


def _patterns(resolver):
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from _patterns(each)
        else:
            yield each


def paths(transition):
    parameters = {"name": "upbit_api", "pk": transition.pk, "job": "collect_market_data"}
    for entry in addresses():
        wanted = {name: parameters[name] for name in entry.pattern.converters}
        if entry.name == "job":
            wanted = {"name": "collect_market_data"}
        namespace = "" if "status/jobs" in str(entry.pattern) else "healthcheck:"
        yield reverse(f"{namespace}{entry.name}", kwargs=wanted)


def reports():
    return Finding("unhealthy", SECRET_TEXT.replace("%", "%%"))


def some_facts():
    return [Fact("output", "output", SECRET_TEXT)]


def raises():
    raise RuntimeError(SECRET_TEXT)


@pytest.fixture
def planted(settings, monkeypatch):
    """Every probe reports or raises all of it, and so do the stored rows."""
    settings.HEALTH_REDACTED = [*PLANTED.values()]
    settings.HEALTH_TOKEN = "a-token-for-monitors"
    monkeypatch.setattr(samples, "reports", reports, raising=False)
    monkeypatch.setattr(samples, "raises", raises, raising=False)
    paths = ("tests.healthcheck.samples.reports", "tests.healthcheck.samples.raises")
    settings.HEALTH_PROBES = [
        {
            "name": entry["name"],
            "probe": paths[number % 2] if number else "healthcheck.probes.database",
            "evidence": "tests.healthcheck.test_redaction.some_facts",
        }
        for number, entry in enumerate(settings.HEALTH_PROBES)
    ]
    return HealthTransition.objects.create(
        component="upbit_api", at=timezone.now(), before="healthy", after="unhealthy", message=SECRET_TEXT
    )


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("audience", ["anybody", "token", "staff"])
@pytest.mark.django_db(transaction=True, available_apps=None)
def test_no_address_shows_a_secret_to_any_audience(planted, client, audience, language):
    if audience == "staff":
        kim = User.objects.create_superuser("kim")
        client.force_login(kim, backend="django.contrib.auth.backends.ModelBackend")
    headers = BEARER if audience == "token" else {}

    bodies = {}
    for path in paths(planted):
        response = client.get(path, headers={"Accept-Language": language, **headers})
        bodies[path] = response.content.decode()

    assert len(bodies) >= 7
    found = {(path, text) for path, body in bodies.items() for text in NEVER if text in body}
    assert found == set()
    if audience != "anybody":
        assert any("***" in body for body in bodies.values())


@pytest.mark.parametrize("options", [{}, {"as_json": True}])
@pytest.mark.django_db(transaction=True)
def test_the_command_prints_no_secret(planted, options):
    out = io.StringIO()
    with pytest.raises(CommandError) as unhealthy:
        call_command("healthcheck", stdout=out, **options)

    output = out.getvalue() + str(unhealthy.value)
    assert "***" in output
    assert [text for text in NEVER if text in output] == []


@pytest.mark.parametrize("form", ["json", "slack", "discord"])
def test_no_alert_contains_a_secret(settings, form):
    settings.HEALTH_REDACTED = [*PLANTED.values()]
    change = AlertChange("api", "The API", timezone.now(), "healthy", "unhealthy", SECRET_TEXT, "1.0")

    output = json.dumps(body(form, "The site", change, [change]))

    assert "***" in output
    assert [text for text in NEVER if text in output] == []


def test_json_stays_json_and_the_rest_of_a_text_stays():
    output = json.dumps({"message": SECRET_TEXT, "after": "kept"})

    assert json.loads(redacted(output.encode()))["after"] == "kept"
    assert (
        redacted_text("GET /v1/ticker: 500 at 24 h / 7 d, KRW-BTC")
        == "GET /v1/ticker: 500 at 24 h / 7 d, KRW-BTC"
    )


def test_configured_secrets_are_redacted(settings):
    """The site's own list, not a test's."""
    kept = (settings.SECRET_KEY, settings.HEALTH_TOKEN, settings.UPBIT_SECRET_KEY, settings.GEMINI_API_KEY)
    for value in (
        *kept,
        str(settings.VAR_DIR),
        str(settings.BASE_DIR) if hasattr(settings, "BASE_DIR") else "",
    ):
        if value:
            assert value not in redacted_text(f"before {value} after")
