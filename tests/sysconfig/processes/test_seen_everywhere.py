"""Rule 29: whoever changes a setting and however, every worker and the scheduler read it within a second."""

import os
import subprocess
import sys
import time

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.jobs.processes import ROOT, Scheduler, wait_for
from tests.sysconfig.processes.site import WORKERS, Operator, served
from tradingsite.embedded_postgres.programs import binaries

KEY = "stop_loss_pct"
SQL = "UPDATE system_config SET value = '{value}' WHERE key = 'stop_loss_pct'"
WITHIN_S = 1.0
BEAT_S = 0.2  # of the job that reads


@pytest.fixture(scope="module")
def site(house, tmp_path_factory):
    with served(house, tmp_path_factory.mktemp("site") / "log") as site:
        yield site


@pytest.fixture(scope="module")
def scheduler(house):
    process = Scheduler(house, "unused")
    wait_for(house, "SELECT 1 FROM read_by_job WHERE pid = %s", process.process.pid)
    yield process.process.pid
    code, _ = process.end()
    process.close()
    assert code == 0, process.lines


@pytest.fixture(scope="module")
def operator(site):
    operator = Operator(site)
    yield operator
    operator.close()


def by_admin(house, operator, value):
    ((row_id,),) = house.ask("SELECT id FROM system_config WHERE key = %s", KEY)
    operator.set_value(row_id, value)


def by_queryset_in_another_process(house, _operator, value):
    code = (
        "import django; django.setup(); from sysconfig.models import SystemConfig;"
        f"SystemConfig.objects.filter(key={KEY!r}).update(value={value!r})"
    )
    command = [sys.executable, "-c", f"import tradingsite; {code}"]
    subprocess.run(command, cwd=ROOT, env=house.env, check=True)


def by_bare_psycopg(house, _operator, value):
    with psycopg.connect(house.url) as connection:
        connection.execute(SQL.format(value=value))


def by_psql(house, _operator, value):
    given = {name: str(part) for name, part in conninfo_to_dict(house.url).items()}
    address = ["--host", given["host"], "--username", given["user"], "--dbname", given["dbname"]]
    command = [str(binaries() / "psql"), "--no-psqlrc", *address, "--command", SQL.format(value=value)]
    done = subprocess.run(
        command, check=True, env={**os.environ, "PGOPTIONS": ""}, capture_output=True, text=True
    )
    assert done.stdout == "UPDATE 1\n"


@pytest.fixture(scope="module")
def values():
    """Values that nobody has set yet; each lower than before, which no one is asked to confirm."""
    return iter([f"4.{tenth}" for tenth in range(9, 0, -1)])


@pytest.mark.parametrize("change", [by_admin, by_queryset_in_another_process, by_bare_psycopg, by_psql])
def test_rule_29_every_worker_and_the_scheduler_read_a_change_within_a_second(
    house, site, scheduler, operator, values, change
):
    value = next(values)
    change(house, operator, value)
    committed_s = time.monotonic()

    while site.values(KEY) != [value] * WORKERS:
        assert time.monotonic() - committed_s < WITHIN_S
    jobs_last = "SELECT value FROM read_by_job WHERE pid = %s ORDER BY at DESC LIMIT 1"
    ends_s = committed_s + WITHIN_S + BEAT_S
    while house.ask(jobs_last, scheduler) != [(value,)]:
        assert time.monotonic() < ends_s


def test_rule_29_who_changed_it_is_on_record_for_each_way(house, site, scheduler, operator, values):
    sources = {}
    for change in (by_admin, by_bare_psycopg):
        change(house, operator, next(values))
        ((sources[change], actor),) = house.ask(
            "SELECT source, actor FROM system_config_change WHERE key = %s ORDER BY id DESC LIMIT 1", KEY
        )
        assert actor in ("kim", "postgres")

    assert sources == {by_admin: "admin", by_bare_psycopg: "sql"}
