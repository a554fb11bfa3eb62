"""A site under gunicorn, and what it takes to ask it."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

_APPLICATIONS = {"ours": "tradingsite.wsgi", "plain": "django.core.wsgi:get_wsgi_application()"}
_STARTED_WITHIN_S = 60
ROUNDS, CALLS = 9, 100


class Connection:
    """One kept-alive connection, so plain that the client costs next to nothing."""

    def __init__(self, port: int, timeout_s: float = 60) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._file = self._socket.makefile("rb")
        self.body_bytes = 0

    def get(self, path: str, accept: str = "application/json", *, token: str = "") -> int:
        """Return the answer's status, after having read all of it."""
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n{bearer}\r\n"
        self._socket.sendall(head.encode())
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.body_bytes = len(self._file.read(length))
        return status

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Site:
    """Two processes of four threads each."""

    def __init__(self, port: int, runs: Path) -> None:
        self.port, self._runs = port, runs

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get_s(self, path: str, *, token: str = "") -> float:
        """Return how many seconds one GET on a connection of its own takes."""
        begun = time.perf_counter()
        connection = Connection(self.port)
        connection.get(path, token=token)
        connection.close()
        return time.perf_counter() - begun

    def await_status(self, path: str, status: int) -> None:
        """Ask until the answer has that status: the first jobs must have run. Raises TimeoutError."""
        ends_s = time.monotonic() + _STARTED_WITHIN_S
        while (found := Connection(self.port).get(path)) != status:
            if time.monotonic() > ends_s:
                raise TimeoutError(f"{path} still answers {found}, not {status}")
            time.sleep(0.5)

    def runs(self, name: str) -> Counter[str]:
        """Return how often a probe ran in each process."""
        lines = (line.split() for line in self._runs.read_text().splitlines())
        return Counter(pid for probe, pid in lines if probe == name)


@contextmanager
def served(kind: str, settings: str, env: Mapping[str, str]) -> Iterator[Site]:
    """Serve `settings` for the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening, tempfile.TemporaryDirectory() as f:
        runs = Path(f) / "runs"
        runs.touch()
        options = ["--workers=2", "--worker-class=gthread", "--threads=4", "--log-level=critical"]
        process = subprocess.Popen(  # noqa: S603 - ours
            [
                sys.executable,
                "-m",
                "gunicorn",
                *options,
                f"--bind=fd://{listening.fileno()}",
                _APPLICATIONS[kind],
            ],
            env={**os.environ, **env, "DJANGO_SETTINGS_MODULE": settings, "PROBE_RUNS": str(runs)},
            pass_fds=[listening.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        site = Site(listening.getsockname()[1], runs)
        try:
            Connection(site.port, _STARTED_WITHIN_S).get("/bare")
            yield site
        finally:
            # Not asked to end: a stuck worker would take its time.
            for worker in psutil.Process(process.pid).children():
                worker.kill()
            process.kill()
            process.wait()


def in_turn(asks: Mapping[str, Callable[[], object]], calls: int = CALLS) -> dict[str, float]:
    """Return milliseconds a call of each, the median over rounds in which each has its turn."""
    found: dict[str, list[float]] = {name: [] for name in asks}
    for _ in range(ROUNDS):
        for name, ask in asks.items():
            begun = time.perf_counter()
            for _ in range(calls):
                ask()
            found[name].append((time.perf_counter() - begun) / calls * 1000)
    return {name: statistics.median(times) for name, times in found.items()}


@contextmanager
def polled(site: Site, path: str, pollers: int) -> Iterator[None]:
    """Keep `pollers` asking, each twice a second; who is stuck at the block's end is left behind."""
    over = threading.Event()

    def poll() -> None:
        while not over.is_set():
            try:
                site.get_s(path)
            except (OSError, IndexError):  # the site has ended
                return
            over.wait(0.5)

    for _ in range(pollers):
        threading.Thread(target=poll, daemon=True).start()
    yield
    over.set()


def note(name: str) -> None:
    """Record a run of the probe `name` in this process."""
    with Path(os.environ["PROBE_RUNS"]).open("a") as runs:
        runs.write(f"{name} {os.getpid()}\n")


def at_once(count: int, ask: Callable[[], object]) -> None:
    """Call `ask` in `count` threads together."""
    barrier = threading.Barrier(count)

    def one() -> None:
        barrier.wait()
        ask()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
