"""`make bench`: what must be fast, next to the barest thing that does the same, in one run, as ratios."""

import os
import sys
from timeit import Timer

import django
import psycopg

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.timing import ROUNDS, ns_a_call, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from django.conf import settings  # noqa: E402 - after setup
from django.test import Client, override_settings  # noqa: E402 - after setup

from sysconfig.models import SystemConfig  # noqa: E402 - after setup

KEY = "stop_loss_pct"


def config_reads() -> None:
    """Time a config hit next to a look-up in a dict."""
    get_value = SystemConfig.objects.get_value
    row = SystemConfig.objects.filter(key=KEY).values_list("value", flat=True)
    names = {"get": {KEY: get_value(KEY)}.get, "get_value": get_value, "S": SystemConfig, "row": row}
    calls = 400_000
    table(
        "A config value, read",
        [
            ("dict.get", ns_a_call(f"get({KEY!r})", names, calls)),
            ("get_value, bound once", ns_a_call(f"get_value({KEY!r})", names, calls)),
            ("the same, four threads", ns_a_call(f"get_value({KEY!r})", names, calls, threads=4)),
            ("SystemConfig.objects.get_value", ns_a_call(f"S.objects.get_value({KEY!r})", names, calls)),
            ("from the database each time", ns_a_call("row.get()", names, 400)),
        ],
    )


@override_settings(ROOT_URLCONF="benchmarks.urls", ALLOWED_HOSTS=["testserver"], SECURE_SSL_REDIRECT=False)
def health_answers() -> None:
    """Time the cached detail JSON next to a view that answers a constant, both behind all middleware."""
    names = {"client": Client(), "bearer": {"Authorization": f"Bearer {settings.HEALTH_TOKEN}"}}
    detail = "client.get('/api/v1/health/detail'"
    Timer(f"{detail})", globals=names).timeit(1)  # measures: the rest is served from that snapshot
    calls = 1_000
    table(
        "The detail JSON, from a snapshot that is fresh",
        [
            ("a bare JsonResponse", ns_a_call("client.get('/bare')", names, calls)),
            ("anonymous", ns_a_call(f"{detail})", names, calls)),
            ("bearer token", ns_a_call(f"{detail}, headers=bearer)", names, calls)),
        ],
    )


if __name__ == "__main__":
    sys.stdout.write(
        f"Python {sys.version.split()[0]}, Django {django.__version__}, psycopg {psycopg.__version__}; "
    )
    sys.stdout.write(f"the median of {ROUNDS} rounds\n")
    config_reads()
    health_answers()
