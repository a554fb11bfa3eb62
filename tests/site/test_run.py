"""`make run`: real processes, real ports, real signals."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from django.conf import global_settings
from django.contrib.auth.hashers import check_password

from healthcheck.report import component_names
from tests.databases import Database
from tests.site.processes import free_port, own_environ, processes_on
from tradingsite.run import STOP_WITHIN_S

WITHIN_S = 60


class Site:
    """One `make run` in a folder of its own."""

    def __init__(self, var_dir: Path) -> None:
        self.var_dir = var_dir
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []

    def environ(self):
        return own_environ(VAR_DIR=str(self.var_dir), PORT=str(self.port))

    def start(self):
        """Start it and read its output up to the login."""
        self.output = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tradingsite.run"],
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        for line in self.process.stdout:
            self.output.append(line)
            if line.strip().startswith("Stop "):
                return
        pytest.fail("it ended before it printed the login:\n" + "".join(self.output))

    def processes(self):
        """Return all processes that belong to it: its descendants, and those on its folder."""
        own = psutil.Process(self.process.pid)
        return {own, *own.children(recursive=True), *processes_on(self.var_dir)}

    def stop(self, how):
        """Send a signal to the runner; return the processes that ran, and those that still run."""
        processes = self.processes()
        self.process.send_signal(how)
        self.output += self.process.stdout.readlines()
        self.process.stdout.close()
        self.process.wait(timeout=WITHIN_S)
        _, alive = psutil.wait_procs(processes, timeout=WITHIN_S)
        return processes, alive

    @property
    def database(self):
        return Database(f"postgresql://postgres@/postgres?host={self.var_dir / 'postgres'}")

    def detail(self):
        token = (self.var_dir / "health-token").read_text()
        url = f"http://127.0.0.1:{self.port}/api/v1/health/detail"
        try:
            with urlopen(
                Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=WITHIN_S
            ) as answer:
                return json.load(answer)
        except HTTPError as error:
            return json.load(error)

    def components(self):
        return {c["name"]: c for c in self.detail()["components"]}

    def wait_for(self, condition):
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {self.detail()}"
            time.sleep(0.1)

    def found(self, word):
        """Return the descendants with `word` in their command line, without the Procfile's shells."""
        processes = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                facts = process.as_dict(["cmdline", "name"])
                if facts["name"] != "sh" and any(word in part for part in facts["cmdline"] or ()):
                    processes.append(process)
        return processes


@pytest.fixture(scope="module")
def site():
    """A running site. A closed terminal (SIGHUP) ends it, and must leave no process."""
    # Not tmp_path: as root that is closed to PostgreSQL's user.
    folder = Path(tempfile.mkdtemp(prefix="run-"))
    folder.chmod(0o711)
    site = Site(folder / "var")
    site.start()
    yield site
    _, alive = site.stop(signal.SIGHUP)
    assert alive == []
    shutil.rmtree(folder)


def test_run_prints_the_address_and_a_login_that_works(site, settings):
    text = "".join(site.output)
    assert f"http://127.0.0.1:{site.port}/status/" in text
    password = (site.var_dir / "demo-password").read_text()
    assert f"operator / {password}" in text

    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    ((hashed,),) = site.database.query("SELECT password FROM auth_user WHERE username = 'operator'")
    assert check_password(password, hashed)


def test_all_six_components_become_healthy_and_a_signal_is_made_at_once(site):
    def healthy_with_a_signal():  # recent_signal is healthy in its first minutes without one, too
        found = site.components()
        return "KRW-BTC" in (found["recent_signal"]["message"] or "") and all(
            each["status"] == "healthy" for each in found.values()
        )

    site.wait_for(healthy_with_a_signal)

    assert list(site.components()) == component_names()


def test_second_site_on_the_same_port_is_refused_with_port_and_variable(site):
    result = subprocess.run(
        [sys.executable, "-m", "tradingsite.run"],
        env=site.environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert str(site.port) in result.stderr
    assert "PORT=" in result.stderr


def test_scheduler_that_ends_is_started_again_and_the_others_stay(site):
    (before,) = site.found("runscheduler")
    others = site.found("gunicorn")
    before.kill()

    site.wait_for(lambda: any(now.pid != before.pid for now in site.found("runscheduler")))
    assert others
    assert all(process.is_running() for process in others)


def test_ctrl_c_stops_everything_and_a_second_start_keeps_the_data(site):
    site.database.query("CREATE TABLE kept AS SELECT 42 AS answer")
    processes, alive = site.stop(signal.SIGINT)

    assert any(process.pid for process in processes)
    assert alive == []
    assert not (site.var_dir / "postgres" / "postmaster.pid").exists()

    site.start()

    assert site.database.query("SELECT answer FROM kept") == [(42,)]


def test_processes_that_do_not_end_are_killed_within_five_seconds():
    """A busy machine needs longer for all of it, so this is the setting and not a measurement."""
    assert STOP_WITHIN_S < 5
