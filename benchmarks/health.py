"""`make bench-health`: health answers next to django-health-check's and a bare view, under gunicorn.

Each pair is asked turn by turn in one run; read the ratios. Exits 1 when a bar is missed.
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
from benchmarks.timing import holds, say
from benchmarks.web import Connection, Site, at_once, polled, served

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from tests.sysconfig.processes.house import House, housed  # noqa: E402 - after setup

DETAIL = "/api/v1/health/detail"
OURS, PLAIN = "benchmarks.health_settings", "benchmarks.health_plain_settings"
ROUNDS, CALLS, POLLERS, CROWD = 9, 100, 8, 100
QUICK_PROBES = 5  # of benchmarks.health_settings
GET = "import http.client as h, sys; c = h.HTTPConnection(*sys.argv[1:2]); c.request('GET', '/livez'); \
sys.exit(c.getresponse().status != 200)"


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


def cached(ours: Site, plain: Site) -> bool:
    """Time the cached detail JSON next to bare views and a health check."""
    say(f"\nOne kept-alive connection, {ROUNDS} rounds of {CALLS} calls in turn, ms a call")
    connections = {name: Connection(site.port) for name, site in (("ours", ours), ("plain", plain))}
    asks = {
        "a bare view, this site's middleware": ("ours", "/bare"),
        f"{DETAIL}": ("ours", DETAIL),
        "a bare view, startproject's middleware": ("plain", "/bare"),
        "django-health-check, JSON, database": ("plain", "/health"),
    }
    ms = in_turn({name: partial(connections[site].get, path) for name, (site, path) in asks.items()})
    for name, each in ms.items():
        say(f"  {name:<44}{each:>9.3f}")
    bare, detail, plain_bare, check = ms.values()
    ratio = bare / detail
    say(f"  detail JSON: {ratio:.2f} x as fast as the bare view, bar >= 0.9 x: {_kept(ratio >= 0.9)}")
    say(f"  django-health-check: {plain_bare / check:.2f} x as fast as its bare view")
    return ratio >= 0.9


def stuck(house: House) -> bool:
    """Ask while a probe with a limit of 1 s hangs for 8 s."""
    say("\nA probe stuck for 8 s, limit 1 s")
    with served("ours", OURS, {**_env(house), "STUCK": "1"}) as site:
        first_s, slower, runs = _while_stuck(site, DETAIL)
        say(f"  this site: the answer {first_s:.2f} s, bar <= 1.1 s: {_kept(first_s <= 1.1)}")
        say(f"    a bare page meanwhile, {POLLERS} pollers: {holds(slower, 1.2)} as slow as calm")
        say(f"    runs in a process, all stuck: at most {runs}, bar 1: {_kept(runs <= 1)}")
        kept = first_s <= 1.1 and slower <= 1.2 and runs <= 1
    with served("plain", PLAIN, _env(house)) as site:
        first_s, slower, runs = _while_stuck(site, "/stuck", pages=1)
        say(f"  django-health-check: the answer {first_s:.2f} s")
        say(f"    a bare page meanwhile {slower:.0f} x as slow; runs in a process, stuck at once: {runs}")
    return kept


def _while_stuck(site: Site, path: str, pages: int = 300) -> tuple[float, float, int]:
    """Return the first answer's seconds, how much slower a bare page is, and stuck runs in a process."""
    calm_s = statistics.median(site.get_s("/bare") for _ in range(300))
    first_s = site.get_s(path)
    with polled(site, path, POLLERS):
        time.sleep(1)
        meanwhile_s = statistics.median(site.get_s("/bare") for _ in range(pages))
        runs = max(site.runs("stuck").values())
    return first_s, meanwhile_s / calm_s, runs


def crowd(house: House, ours: Site, plain: Site) -> bool:
    """Let a hundred ask at once."""
    say(f"\n{CROWD} pollers at once: new sessions of the database")
    with psycopg.connect(house.url, autocommit=True) as watching:
        new = {
            name: _new_sessions(watching, partial(site.get_s, path))
            for name, site, path in (
                ("this site", ours, DETAIL),
                ("django-health-check", plain, "/health"),
            )
        }
    for name, count in new.items():
        say(f"  {name:<44}{count:>9}")
    runs = max(ours.runs("quick").values()) / QUICK_PROBES
    say(f"  this site: new sessions, bar 0: {_kept(new['this site'] == 0)}")
    say(f"  this site: runs of a probe in a process, its TTL never over: {runs:g}, bar 1: {_kept(runs <= 1)}")
    return runs <= 1 and new["this site"] == 0


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


def container(ours: Site) -> bool:
    """Time whole processes that ask once."""
    say(f"\nOne question from a process of its own, ms, the median of {ROUNDS}")
    commands = {
        "stdlib HTTP GET": ["-c", GET, f"127.0.0.1:{ours.port}"],
        "python -m healthcheck.ping": ["-m", "healthcheck.ping", f"{ours.url}/livez"],
        "manage.py check --help (Django alone)": ["manage.py", "check", "--help"],
    }
    ms = in_turn({name: partial(_run, command) for name, command in commands.items()}, calls=3)
    for name, each in ms.items():
        say(f"  {name:<44}{each:>9.1f}")
    ratio = ms["python -m healthcheck.ping"] / ms["stdlib HTTP GET"]
    say(f"  container probe: {holds(ratio, 1.5)}")
    return ratio <= 1.5


def _run(arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)  # noqa: S603 - ours


def _kept(kept: object) -> str:
    return "holds" if kept else "MISSED"


def _env(house: House) -> dict[str, str]:
    return {"DATABASE_URL": house.url, "DATABASE_DIRECT_URL": house.url}


def main() -> bool:
    """Measure on a server of their own; return whether all bars hold."""
    say(f"Python {sys.version.split()[0]}, Django {django.__version__}; first a database is made, 5 s")
    with housed() as house:
        env = {**house.env, **_env(house)}
        with served("ours", OURS, env) as ours, served("plain", PLAIN, env) as plain:
            at_once(CROWD, partial(ours.get_s, DETAIL))  # both processes have a snapshot, and threads
            at_once(CROWD, partial(plain.get_s, "/bare"))
            kept = [crowd(house, ours, plain), cached(ours, plain), container(ours)]
        return all([*kept, stuck(house)])


if __name__ == "__main__":
    sys.exit(not main())
