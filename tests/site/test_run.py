"""`make run` as a person meets it: real processes, real ports, real signals."""

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

from healthcheck.report import component_names
from tests.site.processes import free_port, own_environ, processes_on

STOP_WITHIN_S = 5.0


class Site:
    """One `make run` in a folder of its own."""

    def __init__(self, var_dir: Path) -> None:
        self.var_dir = var_dir
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []

    def environ(self):
        return own_environ(VAR_DIR=str(self.var_dir), PORT=str(self.port))

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

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

    def everything(self):
        """Return all processes that belong to it: its own descendants, and whatever runs on its folder."""
        own = psutil.Process(self.process.pid)
        return {own, *own.children(recursive=True), *processes_on(self.var_dir)}

    def stop(self, how):
        """Send a signal to the runner; return what was running, what still runs, and the seconds it took."""
        processes = self.everything()
        begun = time.monotonic()
        self.process.send_signal(how)
        self.output += self.process.stdout.readlines()
        self.process.stdout.close()
        self.process.wait(timeout=30)
        _, alive = psutil.wait_procs(processes, timeout=STOP_WITHIN_S)
        return processes, alive, time.monotonic() - begun

    def manage(self, *arguments):
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, env=self.environ(), capture_output=True, text=True, check=False, timeout=60
        )

    def detail(self):
        token = (self.var_dir / "health-token").read_text()
        url = f"http://127.0.0.1:{self.port}/api/v1/health/detail"
        try:
            with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=10) as answer:
                return json.load(answer)
        except HTTPError as error:
            return json.load(error)

    def components(self):
        return {c["name"]: c for c in self.detail()["components"]}

    def wait_for(self, condition, within_s):
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {within_s} s: {self.detail()}"
            time.sleep(0.1)

    def found(self, word):
        """Return the descendants with `word` in their command line; the Procfile's shells apart."""
        processes = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                facts = process.as_dict(["cmdline", "name"])
                if facts["name"] != "sh" and any(word in part for part in facts["cmdline"] or ()):
                    processes.append(process)
        return processes


@pytest.fixture(scope="module")
def one_site():
    folder = Path(
        tempfile.mkdtemp(prefix="run-")
    )  # not tmp_path: as root that is closed to PostgreSQL's user
    folder.chmod(0o711)
    site = Site(folder / "var")
    yield site
    if site.runs:
        site.stop(signal.SIGTERM)
    shutil.rmtree(folder)


@pytest.fixture
def site(one_site):
    if not one_site.runs:
        one_site.start()
    return one_site


def test_it_prints_where_to_look_and_a_login_that_works(site):
    text = "".join(site.output)
    assert f"http://127.0.0.1:{site.port}/status/" in text
    password = (site.var_dir / "demo-password").read_text()
    assert f"operator / {password}" in text

    check = "from django.contrib.auth import get_user_model as u; print(u().objects.get().check_password(%r))"
    assert site.manage("shell", "-v", "0", "-c", check % password).stdout.strip() == "True"


def test_all_six_components_are_healthy_for_real_since_the_first_signal_is_made_at_once(site):
    def healthy_with_a_signal():  # without one recent_signal is healthy for its first minutes, too
        found = site.components()
        return "KRW-BTC" in (found["recent_signal"]["message"] or "") and all(
            each["status"] == "healthy" for each in found.values()
        )

    site.wait_for(healthy_with_a_signal, within_s=60)

    assert list(site.components()) == component_names()


def test_a_second_one_on_the_same_port_is_refused_with_port_and_variable(site):
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


def test_a_scheduler_that_ends_is_started_again_and_the_others_stay(site):
    (before,) = site.found("runscheduler")
    others = site.found("gunicorn")
    before.kill()

    site.wait_for(lambda: any(now.pid != before.pid for now in site.found("runscheduler")), within_s=10)
    assert others
    assert all(process.is_running() for process in others)


def test_ctrl_c_stops_all_of_it_and_a_second_start_keeps_the_data(site):
    edit = "from sysconfig.models import SystemConfig as C; C.objects.set_value('stop_loss_pct', '7.5')"
    assert site.manage("shell", "-v", "0", "-c", edit).returncode == 0
    processes, alive, seconds = site.stop(signal.SIGINT)

    assert any(process.pid for process in processes)
    assert alive == []
    assert seconds <= STOP_WITHIN_S
    assert not (site.var_dir / "postgres" / "postmaster.pid").exists()

    site.start()

    read = "from sysconfig.models import SystemConfig as C; print(C.objects.get_value('stop_loss_pct'))"
    assert site.manage("shell", "-v", "0", "-c", read).stdout.strip() == "7.5"


def test_a_closed_terminal_stops_all_of_it(site):
    _, alive, seconds = site.stop(signal.SIGHUP)

    assert alive == []
    assert seconds <= STOP_WITHIN_S
