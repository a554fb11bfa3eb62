"""Under gunicorn: a probe that hangs delays no answer, and a hundred pollers cost what one poller costs."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import connection

from tests.healthcheck.processes import DEADLINE_S, served

PROBES = [
    {
        "name": "database",
        "probe": "tests.healthcheck.samples.database",
        "timeout_s": 30,
        "ttl_s": 60,
        "ttl_bad_s": 60,
    },
    {
        "name": "stuck",
        "probe": "tests.healthcheck.samples.hangs",
        "timeout_s": 1,
        "ttl_s": 0.1,
        "ttl_bad_s": 0.1,
    },
    {"name": "local", "probe": "tests.healthcheck.samples.fine", "timeout_s": 30, "ttl_s": 60},
    {
        "name": "shared",
        "probe": "tests.healthcheck.samples.warns",
        "timeout_s": 30,
        "ttl_bad_s": 60,
        "shared": True,
    },
]
ALL_WAIT_S = 12  # what a hundred requests would take in eight threads if each waited for the stuck probe
DETAIL = "/api/v1/health/detail"


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker, tmp_path_factory):
    with django_db_blocker.unblock(), served(PROBES, tmp_path_factory.mktemp("site")) as site:
        yield site


def sessions():
    """Return the number of the server's other sessions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


MOST_THREADS = 8
"""Of a worker: once they run, another crowd starts no more."""


def crowd(site, size=100):
    began_s = time.monotonic()
    with ThreadPoolExecutor(size) as pollers:
        answers = list(pollers.map(lambda _: site.get(DETAIL), range(size)))
    return answers, time.monotonic() - began_s


@pytest.mark.django_db(transaction=True)
def test_a_hundred_pollers_and_a_stuck_probe(site):
    answers, took_s = crowd(site)
    while len(workers := {pid for _, pid in site.runs()}) < 2:  # on a busy machine one may have served all
        answers = [*answers, *crowd(site)[0]]
    threads, before = site.threads(), sessions()
    for _ in range(MOST_THREADS):
        again, took_again_s = crowd(site)
        if (site.threads(), sessions()) == (threads, before):
            break
        threads, before = site.threads(), sessions()  # gunicorn had not started all its threads yet

    assert {answer.status_code for answer in (*answers, *again)} == {503}
    assert took_s < ALL_WAIT_S
    assert took_again_s < ALL_WAIT_S
    for name in ("hangs", "fine"):
        assert {run: times for run, times in site.runs().items() if run[0] == name} == dict.fromkeys(
            ((name, worker) for worker in workers), 1
        )
    # So busy that the row is not had in time, each process asks for itself; `test_shared_results` is exact.
    assert 1 <= sum(times for (name, _), times in site.runs().items() if name == "warns") <= len(workers)
    assert site.threads() <= threads, "each crowd adds threads"
    assert sessions() <= before, "each crowd adds sessions"


@pytest.mark.django_db(transaction=True)
def test_while_a_probe_is_stuck_it_is_named_and_everything_else_answers(site):
    answer = site.get(DETAIL, headers={"Authorization": "Bearer a-token-for-monitors"})
    stuck = answer.json()["components"][1]

    assert (stuck["status"], stuck["latency_ms"]) == ("unhealthy", None)
    assert stuck["message"].startswith(("no answer within 1 s", "still running after"))
    assert [component["status"] for component in answer.json()["components"]] == [
        "healthy",
        "unhealthy",
        "healthy",
        "warning",
    ]
    for path in ("/livez", "/readyz", "/status/", "/admin/login/"):
        assert site.get(path).status_code == (503 if path == "/status/" else 200)


@pytest.mark.django_db(transaction=True)
def test_probes_come_with_any_host_and_head_without_a_body(site):
    for path in ("/livez", "/readyz"):
        assert site.get(path, headers={"Host": "10.0.0.7:1"}).status_code == 200
        assert requests.head(f"{site.url}{path}", timeout=DEADLINE_S).content == b""
    assert site.get("/api/v1/health", headers={"Host": "10.0.0.7:1"}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_change_of_state_is_logged_once_a_process(site):
    for _ in range(20):
        site.get(DETAIL)

    lines = [line for line in site.log.read_text().splitlines() if '"stuck"' in line]
    assert 1 <= len(lines) <= 2
    assert all("health.changed" in line for line in lines)
