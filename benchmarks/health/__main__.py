"""`make bench-health`: health answers next to django-health-check's and bare views, under gunicorn.

This site has its real settings: the listener, all probes, panels and the history are on, and the scheduler
and the sandbox run. Both sites have two processes of four threads, and each pair is measured in turn.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import django
import psycopg

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.report import measured
from benchmarks.timing import say
from benchmarks.web import Connection, Site, at_once, in_turn, polled, served

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from benchmarks.whole_site import TOKEN, WholeSite, whole_site  # noqa: E402 - after setup

DETAIL = "/api/v1/health/detail"
OURS, PLAIN = "benchmarks.health.settings", "benchmarks.health.plain_settings"
POLLERS, CROWD = 8, 100
GET = "import http.client as h, sys; c = h.HTTPConnection(*sys.argv[1:2]); c.request('GET', '/livez'); \
sys.exit(c.getresponse().status != 200)"


def cached(ours: Site, plain: Site) -> None:
    """Time the cached detail JSON next to bare views and a health check."""
    ours_at, plain_at = Connection(ours.port), Connection(plain.port)
    asks = {
        "a bare view of this site": partial(ours_at.get, "/bare"),
        "detail JSON, anonymous": partial(ours_at.get, DETAIL),
        "detail JSON, bearer token": partial(ours_at.get, DETAIL, token=TOKEN),
        "a bare view of plain Django": partial(plain_at.get, "/bare"),
        "django-health-check, JSON, database": partial(plain_at.get, "/health"),
    }
    rates = {name: 1000 / ms for name, ms in in_turn(asks).items()}
    say("Requests a second:")
    for name, rate in rates.items():
        say(f"  {name:<44}{rate:>9.0f}")
    bare, anonymous, bearer, plain_bare, check = rates.values()
    measured("health.own", anonymous, bare)
    measured("health.plain", anonymous, plain_bare, f"django-health-check with a pool: {check:,.0f} 1/s")
    measured("health.bearer", bearer, plain_bare)


def stuck(env: Mapping[str, str], plain: Site) -> None:
    """Ask while a probe with a limit of 1 s hangs for 8 s."""
    with served("ours", OURS, {**env, "EXTRA_PROBE": "stuck"}) as site:
        others = f"{DETAIL}?exclude=stuck"
        at_once(CROWD, partial(site.get_s, others))  # the other probes have run, in both processes
        first_s, slower, runs = _while_stuck(site, DETAIL)
    peer_s, peer_slower, peer_runs = _while_stuck(plain, "/stuck", pages=1)
    measured("health.stuck", first_s, peer_s)
    measured("health.pages", *slower, note=f"django-health-check: {peer_slower[0] / peer_slower[1]:,.0f} x")
    measured("health.flights", runs, peer_runs)


def _while_stuck(site: Site, path: str, pages: int = 300) -> tuple[float, tuple[float, float], int]:
    """Return the first answer's seconds, a bare page's ms meanwhile and calm, and stuck runs in a process."""
    calm_s = statistics.median(site.get_s("/bare") for _ in range(300))
    first_s = site.get_s(path)
    with polled(site, path, POLLERS):
        time.sleep(1)
        meanwhile_s = statistics.median(site.get_s("/bare") for _ in range(pages))
        runs = max(site.runs("stuck").values())
    return first_s, (meanwhile_s * 1000, calm_s * 1000), runs


def crowd(url: str, env: Mapping[str, str], plain: Site) -> None:
    """Let a hundred callers ask at once."""
    with served("ours", OURS, {**env, "EXTRA_PROBE": "counted"}) as site:
        at_once(CROWD, partial(site.get_s, DETAIL))  # both processes have a snapshot, and threads
        with psycopg.connect(url, autocommit=True) as watching:
            new = _new_sessions(watching, partial(site.get_s, DETAIL))
            peers_new = _new_sessions(watching, partial(plain.get_s, "/health"))
        measured("health.sessions", new, peers_new)
        measured("health.runs", max(site.runs("counted").values()))


def _new_sessions(watching: psycopg.Connection[tuple[int]], ask: Callable[[], object]) -> int:
    def begun() -> int:
        time.sleep(2)  # the server counts a session within a second
        (count,) = watching.execute(
            "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone() or (0,)
        return count

    before = begun()
    at_once(CROWD, ask)
    return begun() - before


def container(ours: Site) -> None:
    """Time whole processes that ask once."""
    commands = {
        "stdlib HTTP GET": ["-c", GET, f"127.0.0.1:{ours.port}"],
        "python -m healthcheck.ping": ["-m", "healthcheck.ping", f"{ours.url}/livez"],
        "manage.py check --help": ["manage.py", "check", "--help"],
    }
    get, ping, django_ms = in_turn(
        {name: partial(_run, command) for name, command in commands.items()}, calls=3
    ).values()
    measured("health.ping", ping, get, f"`./manage.py check --help`: {django_ms:,.0f} ms")


def _run(arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)  # noqa: S603 - ours


def measure(site: WholeSite) -> None:
    """Measure next to a site whose scheduler and sandbox run."""
    with served("plain", PLAIN, site.env) as plain:
        with served("ours", OURS, site.env) as ours:
            at_once(CROWD, partial(plain.get_s, "/bare"))
            at_once(CROWD, partial(ours.get_s, DETAIL))  # both processes have a snapshot, and threads
            ours.await_status(DETAIL, 200)
            cached(ours, plain)
            container(ours)
        crowd(site.url, site.env, plain)
        stuck(site.env, plain)


if __name__ == "__main__":
    with whole_site() as the_site:
        measure(the_site)
