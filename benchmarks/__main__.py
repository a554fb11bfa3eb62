"""`make bench`: what must be fast, next to the barest thing that does the same, in one run, as ratios."""

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable

import django
import psycopg

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from django.conf import settings  # noqa: E402 - after setup
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402 - after setup
from django.test import RequestFactory  # noqa: E402 - after setup

from healthcheck.views import detail  # noqa: E402 - after setup
from sysconfig.models import SystemConfig  # noqa: E402 - after setup

ROUNDS = 9
KEY = "stop_loss_pct"


def ns_a_call(call: Callable[[], object], calls: int, threads: int = 1) -> float:
    """Return nanoseconds a call, the median over rounds, with `threads` sharing the calls."""

    def work() -> None:
        for _ in range(calls // threads):
            call()

    rounds = []
    for _ in range(ROUNDS):
        workers = [threading.Thread(target=work) for _ in range(threads)]
        begun = time.perf_counter_ns()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rounds.append((time.perf_counter_ns() - begun) / calls)
    return statistics.median(rounds)


def table(title: str, rows: list[tuple[str, float]]) -> None:
    """Print the rows, each with its ratio to the first."""
    base = rows[0][1]
    sys.stdout.write(f"\n{title}\n")
    for name, ns in rows:
        sys.stdout.write(f"  {name:<34}{ns:>14,.0f} ns {ns / base:>9.2f} x\n")


def config_reads() -> None:
    """Time a config hit next to a look-up in a dict."""
    get_value = SystemConfig.objects.get_value
    get = {KEY: get_value(KEY)}.get
    rows = SystemConfig.objects.filter(key=KEY).values_list("value", flat=True)
    calls = 200_000
    table(
        "A config value, read",
        [
            ("dict.get", ns_a_call(lambda: get(KEY), calls)),
            ("get_value, bound once", ns_a_call(lambda: get_value(KEY), calls)),
            ("the same, four threads", ns_a_call(lambda: get_value(KEY), calls, threads=4)),
            ("SystemConfig.objects.get_value", ns_a_call(lambda: SystemConfig.objects.get_value(KEY), calls)),
            ("from the database each time", ns_a_call(rows.get, 400)),
        ],
    )


def health_answers() -> None:
    """Time the cached detail JSON next to a view that answers a constant."""

    def bare(_: HttpRequest) -> HttpResponse:
        return JsonResponse(
            {"status": "healthy", "components": [{"name": "database", "status": "healthy"}] * 6}
        )

    def ask(view: Callable[[HttpRequest], HttpResponse], **headers: str) -> Callable[[], object]:
        factory = RequestFactory(headers=headers)
        return lambda: view(factory.get("/api/v1/health/detail"))

    ask(detail)()
    calls = 2_000
    table(
        "The detail JSON, from a snapshot that is fresh",
        [
            ("a bare JsonResponse", ns_a_call(ask(bare), calls)),
            ("anonymous", ns_a_call(ask(detail), calls)),
            ("bearer token", ns_a_call(ask(detail, Authorization=f"Bearer {settings.HEALTH_TOKEN}"), calls)),
        ],
    )


if __name__ == "__main__":
    sys.stdout.write(
        f"Python {sys.version.split()[0]}, Django {django.__version__}, psycopg {psycopg.__version__}; "
    )
    sys.stdout.write(f"the median of {ROUNDS} rounds\n")
    config_reads()
    health_answers()
