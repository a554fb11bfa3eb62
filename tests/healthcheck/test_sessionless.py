"""Callers without a session get the very answers that all of `MIDDLEWARE` would give them."""

import json

import pytest
from django.conf import settings as project
from django.test import Client
from django.utils import translation

from tests.healthcheck.conftest import BEARER, DETAIL

pytestmark = pytest.mark.usefixtures("site")

MIDDLEWARE = "healthcheck.middleware.SessionlessMiddleware"
PATHS = [
    *("/api/v1/health", "/api/v1/health/", DETAIL, f"{DETAIL}/", f"{DETAIL}?only=database"),
    *(f"{DETAIL}?only=nonsense", "/api/v1/health/schema", "/api/v1/health/abilities"),
]
CALLERS = {
    "anonymous": {},
    "bearer": BEARER,
    "wrong token": {"Authorization": "Bearer wrong"},
    "other cookies": {"Cookie": f"csrftoken={'x' * 32}; timezone=Asia/Seoul; django_language=ko"},
    "Korean": {"Accept-Language": "ko"},
    "has it already": {"If-None-Match": "*"},
}


def all_of(response):
    """Return status, headers and body; a timestamp says when the answer was made."""
    body = response.content
    if body and "json" in response["Content-Type"]:
        body = json.loads(body)
        body.pop("timestamp", None)
    headers = {name.lower(): value for name, value in response.items()}
    headers["content-security-policy"] = set(headers["content-security-policy"].split("; "))
    return response.status_code, headers, body


def through_all_middleware(settings) -> Client:
    settings.MIDDLEWARE = [name for name in project.MIDDLEWARE if name != MIDDLEWARE]
    return Client()


def had_a_session(response) -> bool:
    return hasattr(response.wsgi_request, "session")


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("headers", CALLERS.values(), ids=CALLERS)
@pytest.mark.parametrize("path", PATHS)
def test_the_answer_is_the_same_as_through_all_middleware(client, settings, path, headers, method):
    short = getattr(client, method)(path, headers=headers)
    full = getattr(through_all_middleware(settings), method)(path, headers=headers)

    assert all_of(short) == all_of(full)
    assert (had_a_session(short), had_a_session(full)) == (False, True)


@pytest.mark.parametrize("probe", ["warns", "crashes"])
def test_the_answer_of_a_sick_site_is_the_same(client, site, settings, probe):
    site(recent_order=f"tests.healthcheck.samples.{probe}")
    short = client.get(DETAIL, headers=BEARER)
    full = through_all_middleware(settings).get(DETAIL, headers=BEARER)

    assert all_of(short) == all_of(full)


def test_a_broken_health_check_is_the_same_json_500(client, settings):
    settings.HEALTH_PROBES = [{"nom": "x"}]
    short, full = client.get(DETAIL), through_all_middleware(settings).get(DETAIL)

    assert short.status_code == 500
    assert all_of(short) == all_of(full)


def test_security_headers_are_set_over_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600
    response = Client().get(DETAIL, secure=True)

    assert not had_a_session(response)
    assert response["Strict-Transport-Security"].startswith("max-age=3600")
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Vary"] == "Authorization, Cookie, Accept-Language"


def test_plain_http_is_redirected_where_https_is_wanted(settings):
    settings.SECURE_SSL_REDIRECT = True

    assert Client().get(DETAIL)["Location"] == f"https://testserver{DETAIL}"


def test_a_host_that_is_not_allowed_is_refused_the_same_way(client, settings):
    settings.ALLOWED_HOSTS = ["example.com"]
    short = client.get(DETAIL, headers=BEARER)
    full = through_all_middleware(settings).get(DETAIL, headers=BEARER)

    assert short.status_code == 400
    assert all_of(short) == all_of(full)


def test_a_post_without_csrf_token_is_refused_as_ever():
    assert Client(enforce_csrf_checks=True).post(DETAIL).status_code == 403


def test_a_session_cookie_takes_the_long_way(staff):
    response = staff.get(DETAIL)

    assert had_a_session(response)
    assert "10.1.2.3" in response.content.decode()


def test_the_language_of_the_request_before_changes_nothing(client):
    with translation.override("ko"):
        korean = client.get(DETAIL, headers=BEARER)

    assert korean["Content-Language"] == "en"
    assert all_of(korean) == all_of(client.get(DETAIL, headers=BEARER))


def test_pages_are_not_answered_early(client):
    assert had_a_session(client.get("/status/"))


def test_a_site_without_health_addresses_is_served(settings):
    settings.ROOT_URLCONF = "tests.healthcheck.no_urls"

    assert Client().get("/bare").content == b"fine"
