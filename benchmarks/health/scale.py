"""`make scale-health`: the status page with a million samples next to the same page without a past.

Two databases on one server, measured in turn in one run. A missed bar is a figure, no failure.
"""

import os
import sys
from contextlib import ExitStack
from functools import partial

import django
import psycopg

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.report import measured
from benchmarks.timing import say
from benchmarks.web import in_turn, served

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from healthcheck.report import component_names  # noqa: E402 - after setup
from tests.sysconfig.processes.house import DatabaseServer, running_server  # noqa: E402 - after setup

SAMPLES, CALLS = 1_000_000, 20
SETTINGS = "benchmarks.health.scale_settings"
TOKEN = "a-token-for-monitors"  # noqa: S105 - of the benchmark's own site

# Seven of ten thousand minutes are bad, in stretches, so that every kind of bar and change is there.
_PLANT = """
INSERT INTO health_sample (component, at, status, judged, paused, latency_ms)
SELECT component, date_trunc('minute', now()) - minute * interval '1 minute',
       CASE WHEN minute %% 10000 < 5 THEN 'unhealthy' WHEN minute %% 10000 < 7 THEN 'warning'
            ELSE 'healthy' END,
       true, false, 1 + minute %% 97
FROM unnest(%(components)s::text[]) AS component, generate_series(1, %(minutes)s) AS minute;
INSERT INTO health_hour (component, hour, healthy, warning, unhealthy, paused, unjudged)
SELECT component, date_trunc('hour', at), count(*) FILTER (WHERE status = 'healthy'),
       count(*) FILTER (WHERE status = 'warning'), count(*) FILTER (WHERE status = 'unhealthy'), 0, 0
FROM health_sample GROUP BY 1, 2;
INSERT INTO health_transition (component, at, before, after, message, params, version, rehearsal)
SELECT component, at, CASE WHEN bad THEN 'healthy' ELSE 'unhealthy' END,
       CASE WHEN bad THEN 'unhealthy' ELSE 'healthy' END, 'planted', '{}', '1.0', false
FROM (SELECT component, at, status = 'unhealthy' AS bad, extract(epoch FROM at)::bigint / 60 AS minute
      FROM health_sample) AS planted
WHERE minute %% 100 = 0;
INSERT INTO health_state (component, status, since, seen_at, last_error, last_error_params)
SELECT component, 'healthy', now() - interval '3 days', now(), 'planted', '{}'
FROM unnest(%(components)s::text[]) AS component;
"""


def planted(db_server: DatabaseServer) -> str:
    """Return the URL of a second database with a past."""
    db_server.query("CREATE DATABASE planted TEMPLATE postgres")
    url = db_server.url.replace("/postgres?", "/planted?", 1)
    names = component_names()
    minutes = SAMPLES // len(names) + 1
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(_PLANT, {"components": names, "minutes": minutes})
        connection.execute("VACUUM ANALYZE")
        count = connection.execute("SELECT count(*) FROM health_sample").fetchone()
    say(f"planted: {count[0] if count else 0:,} samples of {len(names)} components, {minutes // 1440} days")
    return url


def compared(db_server: DatabaseServer, full_url: str, *, cold: bool) -> None:
    """Time both pages in turn."""
    urls = {"without a past": db_server.url, "a million samples": full_url}
    with ExitStack() as sites:
        asks = {}
        for name, url in urls.items():
            env = {**db_server.env, "DATABASE_URL": url, "DATABASE_DIRECT_URL": url, "HEALTH_TOKEN": TOKEN}
            site = sites.enter_context(served("ours", SETTINGS, {**env, "COLD": "1" if cold else ""}))
            asks[name] = partial(site.get_s, "/status/", token=TOKEN)
            asks[name]()
        ms = in_turn(asks, CALLS)
    say(f"\nThe page for staff, {'every panel asked anew' if cold else 'panels kept as in production'}, ms")
    for name, each in ms.items():
        say(f"  {name:<44}{each:>9.1f}")
    empty, full = ms.values()
    if cold:
        say(f"  a million against none: {full / empty:.2f} x")
    else:
        measured("scale.page", full, empty)


def main() -> None:
    """Measure on a server of their own."""
    say(f"Python {sys.version.split()[0]}, Django {django.__version__}; first a database is made, 20 s")
    with running_server() as db_server:
        full_url = planted(db_server)
        for cold in (True, False):
            compared(db_server, full_url, cold=cold)


if __name__ == "__main__":
    main()
