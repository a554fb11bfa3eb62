"""The longest request lines and headers of a stranger cost neither the site nor its probes."""

from typing import Any

import psutil
import pytest

from tests.healthcheck.processes import served

PROBES = [{"name": "database", "probe": "healthcheck.probes.database", "timeout_s": 5, "ttl_s": 60}]
ATTACKS: list[dict[str, Any]] = [
    {"path": "/livez-detail", "headers": {"Host": ("a-" * 4096)[:8100]}},
    {"path": "/api/v1/health", "headers": {"Host": ("token='" * 4096)[:8100]}},
    {"path": "/" + ("a-" * 2048)[:4000]},
    {"path": "/" + ("a_" * 2048)[:4000]},
    {"path": "/" + ("%41" * 2048)[:3999]},
    {
        "path": "/admin/login/",
        "headers": {"User-Agent": ("a.a-" * 4096)[:8100], "Host": ("a-" * 4096)[:8100]},
    },
]
EACH_S = 0.3
"""CPU time, the page of the refusal included; the mask that scanned from every start took seconds."""


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker, tmp_path_factory):
    with django_db_blocker.unblock(), served(PROBES, tmp_path_factory.mktemp("site")) as site:
        yield site


def cpu_s(site):
    workers = psutil.Process(site.process.pid).children()
    return sum(sum(worker.cpu_times()[:2]) for worker in workers), {worker.pid for worker in workers}


@pytest.mark.django_db(transaction=True)
def test_long_hosts_and_paths_are_refused_in_milliseconds(site):
    for attack in ATTACKS * 2:
        site.get(**attack)  # each worker's first refusal loads templates
    before_s, workers = cpu_s(site)

    answers = [site.get(**attack).status_code for attack in ATTACKS]
    probes = [site.get(path).status_code for path in ("/livez", "/readyz")]

    after_s, still = cpu_s(site)
    assert answers == [400, 400, 404, 404, 404, 400]
    assert probes == [200, 200]
    assert still == workers
    assert after_s - before_s < EACH_S * len(ATTACKS)
    log = site.log.read_text()
    assert "Invalid HTTP_HOST header" in log
    assert "Not Found: /a-a-a-" in log
    assert max(map(len, log.splitlines())) < 5_000
