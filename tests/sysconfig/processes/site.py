"""The site as it is run for real, on the suite's database, and an operator who uses its admin pages."""

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from html import unescape

import psycopg
import requests
from django.contrib.auth.models import User

from tests import pristine
from tests.jobs.processes import ROOT
from tests.sysconfig import suite_database
from tests.sysconfig.processes.house import WITHIN_S

WORKERS = 2
ADMIN = {"username": "kim", "password": "a-password-of-tests"}
_INPUT = re.compile(r"<(?:input|textarea)\b[^>]*>(?:([^<]*)</textarea>)?")


class SuiteDatabase:
    """The suite's own database for real processes, which commit; put back at the end of the block."""

    def __enter__(self):
        self.url = suite_database.url()
        self.env = suite_database.environment("tests.sysconfig.processes.settings")
        self.query("CREATE TABLE read_by_job (pid int, value text, at timestamptz DEFAULT clock_timestamp())")
        User.objects.create_superuser(**ADMIN)
        return self

    def __exit__(self, *_raised):
        self.query("DROP TABLE read_by_job")
        pristine.put_back()

    def query(self, statement, *parameters):
        with psycopg.connect(self.url, autocommit=True) as session:
            cursor = session.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


class Site:
    """Two gunicorn workers. A kept-alive connection stays with its worker."""

    def __init__(self, database, log):
        self.log = log
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("w") as output:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            fd = listening.fileno()
            options = [
                "--config=python:tradingsite.gunicorn_config",
                f"--workers={WORKERS}",
                "--threads=4",
                f"--bind=fd://{fd}",
                "--keep-alive=60",
            ]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *options, "tradingsite.wsgi"],
                cwd=ROOT, env=database.env, pass_fds=[fd], stdout=output, stderr=output,
            )  # fmt: skip
        self.workers = {}

    def find_workers(self):
        """Open connections until each worker has one."""
        ends_s = time.monotonic() + WITHIN_S
        while len(self.workers) < WORKERS:
            assert time.monotonic() < ends_s, self.log.read_text()
            line = requests.Session()
            pid = line.get(f"{self.url}/value/stop_loss_pct", timeout=WITHIN_S).json()["pid"]
            if self.workers.setdefault(pid, line) is not line:
                line.close()

    def values(self, key):
        """Return what each worker reads now."""
        return [answer["value"] for answer in self._ask_all(key)]

    def notified(self):
        """Return how many notifications of changes each worker has applied."""
        return [answer["notified"] for answer in self._ask_all("stop_loss_pct")]

    def _ask_all(self, key):
        answers = [
            line.get(f"{self.url}/value/{key}", timeout=WITHIN_S).json() for line in self.workers.values()
        ]
        assert {answer["pid"] for answer in answers} == self.workers.keys()
        return answers

    def close(self):
        for line in self.workers.values():
            line.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_S)


class Operator:
    """A browser without a screen: what it sends is what the page's form holds."""

    def __init__(self, site):
        self._session, self._url = requests.Session(), site.url
        page = self.get("/admin/login/?next=/admin/")
        assert "Log out" in self.send(page, **ADMIN).text

    def get(self, path):
        return self._session.get(f"{self._url}{path}", timeout=WITHIN_S)

    def send(self, page, **fields):
        """Fill in the page's form, send it, follow."""
        form = self._filled(page.text) | fields
        return self._session.post(page.url, form, headers={"Referer": page.url}, timeout=WITHIN_S)

    def set_value(self, row_id, value):
        page = self.get(f"/admin/sysconfig/systemconfig/{row_id}/change/")
        answer = self.send(page, value=value)
        assert answer.status_code == 200
        assert "was changed successfully" in answer.text, answer.text

    def close(self):
        self._session.close()

    def _filled(self, html):
        filled = {}
        for tag in _INPUT.finditer(html):
            name, value = (re.search(rf'\b{attribute}="([^"]*)"', tag[0]) for attribute in ("name", "value"))
            if name and 'type="submit"' not in tag[0]:
                filled[name[1]] = unescape(value[1] if value else (tag[1] or "")).removeprefix("\n")
        return filled


@contextmanager
def served(database, log):
    """Run the site until the end of the block, and see that it can be stopped."""
    site = Site(database, log)
    try:
        site.find_workers()
        yield site
        assert site.close() == 0, log.read_text()
    finally:
        site.process.kill()
        site.process.wait()
