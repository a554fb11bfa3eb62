"""The status as plain text to paste (docs/health.md, "Endpoints")."""

import re

import pytest

from tests.healthcheck.conftest import BEARER

pytestmark = pytest.mark.usefixtures("site")

ADDRESS = "/status/incident.txt"


def test_the_text_has_both_times_and_every_component(client, site, settings):
    settings.HEALTH_ABILITIES = [{"name": "decide", "label": "Decide", "needs": ("gemini_api",)}]
    site(gemini_api="tests.healthcheck.samples.crashes")

    response = client.get(ADDRESS, headers=BEARER)

    lines = response.content.decode().splitlines()
    assert (response.status_code, response["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert re.fullmatch(r"Status of \S+ \S+ KST \(\S+ \S+ UTC\)", lines[0])
    assert lines[1].startswith("Unhealthy: ")
    assert "Can we trade right now? No." in lines[2]
    assert len([line for line in lines if line.startswith(("database", "upbit_api", "gemini_api"))]) == 3
    assert lines[-1].startswith("- Decide: Gemini API: ") or lines[-1].startswith("- Decide: gemini_api: ")


def test_the_text_has_the_time_zone_of_the_site(client, site, settings):
    settings.HEALTH_TIME_ZONE = "America/Bogota"  # it has no abbreviation, so the offset is shown
    site()

    first = client.get(ADDRESS, headers=BEARER).content.decode().splitlines()[0]

    assert re.fullmatch(r"Status of \S+ \S+ UTC-05 \(\S+ \S+ UTC\)", first)


def test_anonymous_readers_get_states_without_messages(client, site):
    site(upbit_api="tests.healthcheck.samples.warns")

    text = client.get(ADDRESS).content.decode()

    assert "Warning" in text
    assert "late by" not in text


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_only_safe_methods_are_allowed(client, method):
    assert getattr(client, method)(ADDRESS).status_code == 405
