"""The status page for staff with 246 markets, next to a bare view of this site, under gunicorn.

Everything is on: listener, probes and panels, kept as long as in production.
"""

import os
from functools import partial

import django
import psycopg

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.report import measured
from benchmarks.web import Connection, in_turn, served

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from benchmarks.whole_site import TOKEN, WholeSite, whole_site  # noqa: E402 - after setup

PAGE, MARKETS, CALLS = "/status/", 246, 20

# As a healthy collection leaves it: half an hour of polls, in each of which every price is new.
_PLANT = """
WITH codes AS (SELECT array_agg('KRW-M' || lpad(n::text, 3, '0')) AS codes
               FROM generate_series(1, %(markets)s) AS n)
INSERT INTO system_config (key, value, created_at, updated_at)
SELECT 'markets', 'KRW-BTC,' || array_to_string(codes[2:], ','), now(), now() FROM codes
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
INSERT INTO poll (polled_at, markets)
SELECT at, string_to_array((SELECT value FROM system_config WHERE key = 'markets'), ',')
FROM generate_series(now() - interval '30 minutes', now(), interval '10 s') AS at;
INSERT INTO ticker (market, traded_at, price, first_seen_at, last_seen_at)
SELECT market, polled_at, 1000 + extract(epoch FROM polled_at)::bigint %% 17, polled_at, polled_at
FROM poll, unnest(markets) AS market;
"""


def measure(site: WholeSite) -> None:
    """Plant the markets, then ask for the page and the bare view in turn."""
    with psycopg.connect(site.url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(_PLANT, {"markets": MARKETS})
        connection.execute("VACUUM ANALYZE")
    with served("ours", "benchmarks.health.settings", site.env) as web:
        at = Connection(web.port)
        page = partial(at.get, PAGE, "text/html", token=TOKEN)
        page()
        size = at.body_bytes
        page_ms, bare_ms = in_turn({"page": page, "bare": partial(at.get, "/bare")}, CALLS).values()
    measured("page.speed", 1000 / page_ms, 1000 / bare_ms)
    measured("page.size", size / 1000)


if __name__ == "__main__":
    with whole_site(commands=()) as the_site:
        measure(the_site)
