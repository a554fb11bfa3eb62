"""What is shown of the cache (docs/config-cache.md, rule 28)."""

import os

import pytest
from django.conf import settings
from django.template.loader import render_to_string

from sysconfig import panel
from sysconfig.models import SystemConfig
from sysconfig.push import listener
from tests.sysconfig.committed.hearing import until

pytestmark = pytest.mark.usefixtures("some_rows")

URL = "/api/v1/config/cache"


@pytest.fixture
def heard(listener_made, monkeypatch):
    """Make a listener of the process's own cache its own listener, and wait until it hears."""
    made = listener_made(cache=SystemConfig.cache)
    monkeypatch.setattr(listener._this, "listener", made)
    made.start()
    until(lambda: made.status().fingerprint)
    return made


def test_the_report_has_the_counters_of_this_process(client):
    before = dict(SystemConfig.cache.invalidations)
    for _ in range(4):
        SystemConfig.objects.get_value("t_count")

    assert SystemConfig.objects.cache_report() == {
        "hits": 3,
        "misses": 1,
        "hit_rate": 0.75,
        "size": 1,
        "coalesced": 0,
        "discarded": 0,
        "invalidations": before,
        "lease_age_s": None,
        "reconnects": 0,
        "missed_notifications": 0,
        "listening": False,
        "fingerprint": None,
        "pid": os.getpid(),
    }


def test_the_panel_shows_the_hit_rate_without_a_heartbeat():
    for _ in range(4):
        SystemConfig.objects.get_value("t_count")

    shown = render_to_string("status/config_cache.html", panel.cache())
    assert "75.0 %" in shown
    assert " s ago" not in shown


def test_the_panel_shows_how_old_the_last_heartbeat_is(heard):
    report = SystemConfig.objects.cache_report()

    assert report["listening"]
    assert 0 <= report["lease_age_s"] < 10
    assert " s ago" in render_to_string("status/config_cache.html", panel.cache())
    shown = render_to_string("status/config_cache.html", {"cache": {**report, "lease_age_s": 2.26}})
    assert "2.3 s" in shown


@pytest.mark.parametrize("url", [URL, URL + "/"])
def test_the_api_gives_the_report_to_bearers_of_the_token(client, heard, url):
    answer = client.get(url, headers={"Authorization": f"Bearer {settings.HEALTH_TOKEN}"})

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    report = answer.json()
    assert report.keys() == SystemConfig.objects.cache_report().keys()
    assert (report["pid"], report["listening"]) == (os.getpid(), True)
    assert report["fingerprint"] == heard.status().fingerprint


def test_the_api_refuses_others_in_json(client):
    answer = client.get(URL)

    assert answer.status_code == 403
    assert answer.json() == {"error": "sign in as staff, or send the bearer token"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.post(URL).status_code == 405
