"""A web process that is told to end drains first (docs/health.md, 24)."""

import signal
import time

import pytest
import requests

from tests.healthcheck.processes import Site

PROBES = [{"name": "database", "probe": "healthcheck.probes.database", "timeout_s": 2, "ttl_s": 60}]


def answers(site, path):
    try:
        return site.get(path).status_code
    except requests.ConnectionError:
        return None


@pytest.mark.django_db(transaction=True)
def test_it_is_unready_and_answers_on_until_its_time_is_over(tmp_path, monkeypatch):
    monkeypatch.setenv("WEB_DRAIN_S", "2")
    site = Site(PROBES, tmp_path / "runs", tmp_path / "log")
    try:
        assert answers(site, "/readyz") == 200
        told_s = time.monotonic()
        site.process.send_signal(signal.SIGTERM)
        while answers(site, "/readyz") == 200:
            assert time.monotonic() - told_s < 10
        assert (answers(site, "/readyz"), answers(site, "/livez")) == (503, 200)
        assert answers(site, "/api/v1/health") == 200
        assert site.process.wait(15) == 0
        assert 2 <= time.monotonic() - told_s < 10
    finally:
        site.process.kill()
        site.process.wait()
