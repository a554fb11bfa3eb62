"""A web process that gets SIGTERM drains first (docs/health.md, 24)."""

import signal
import time

import pytest
import requests

from tests.healthcheck.processes import DEADLINE_S, Site

PROBES = [{"name": "database", "probe": "tests.healthcheck.samples.database", "timeout_s": 30, "ttl_s": 60}]
DRAIN_S = 3  # in which three requests are answered, on a busy machine too


def answers(site, path):
    try:
        return site.get(path).status_code
    except requests.ConnectionError:
        return None


@pytest.mark.django_db(transaction=True)
def test_a_draining_worker_is_unready_and_answers_until_its_time_is_over(tmp_path, monkeypatch):
    monkeypatch.setenv("WEB_DRAIN_S", str(DRAIN_S))
    site = Site(PROBES, tmp_path / "runs", tmp_path / "log", workers=1)
    try:
        assert answers(site, "/readyz") == 200
        signalled_s = time.monotonic()
        site.process.send_signal(signal.SIGTERM)
        while answers(site, "/readyz") == 200:
            assert time.monotonic() - signalled_s < DEADLINE_S
        assert (answers(site, "/readyz"), answers(site, "/livez")) == (503, 200)
        assert answers(site, "/api/v1/health") == 200
        assert site.process.wait(DEADLINE_S) == 0
        assert time.monotonic() - signalled_s >= DRAIN_S
    finally:
        site.process.kill()
        site.process.wait()
