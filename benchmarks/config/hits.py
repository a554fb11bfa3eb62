"""The table of hits. It runs as a process whose environment names the database."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.config.peers import peers
from benchmarks.report import measured
from benchmarks.timing import ROUNDS, ns_in_one_round, say

django.setup()

from sysconfig.models import SystemConfig  # noqa: E402 - after setup

CALLS = 400_000
KEY = "stop_loss_pct"
OURS = "get_value, bound once"

Times = tuple[float, float]
"""Nanoseconds a hit, by one thread and by four."""


def main() -> None:
    """Time hits with one thread and with four."""
    say(f"\nA hit: the median of {ROUNDS} rounds, by one thread and by four (about 20 s)")
    found = _hits()
    base, (ours, threads) = found["dict.get"][0], found[OURS]
    for name, (one, four) in found.items():
        say(f"  {name:<44}{one:>10,.0f} ns{one / base:>6.1f} x{four:>16,.0f} ns{four / base:>6.1f} x")
    others = (name for name in found if name not in ("dict.get", OURS))
    measured("config.hit", ours, base, ", ".join(f"{name}: {found[name][0] / base:.0f} x" for name in others))
    measured("config.threads", threads, ours)


def _hits() -> dict[str, Times]:
    """Time all in turn, so that whatever else the machine does slows all of them down."""
    get_value = SystemConfig.objects.get_value
    get_value(KEY)
    wait_until_heard()
    value = get_value(KEY)
    reads = {"dict.get": {KEY: value}.get, OURS: get_value, **peers({KEY: value})}
    statements: dict[str, tuple[str, dict[str, object]]] = {
        **{name: (f"read({KEY!r})", {"read": read}) for name, read in reads.items()},
        "SystemConfig.objects.get_value": (f"S.objects.get_value({KEY!r})", {"S": SystemConfig}),
    }
    rounds: dict[str, list[Times]] = {name: [] for name in statements}
    for _ in range(ROUNDS):
        for name, (statement, names) in statements.items():
            calls = CALLS if name in ("dict.get", OURS) else CALLS // 8
            one, four = (ns_in_one_round(statement, names, calls, threads) for threads in (1, 4))
            rounds[name].append((one, four))
    found = {name: _medians(times) for name, times in rounds.items()}
    return found | {"django-constance, database, dict as cache": constance()}


def _medians(times: Sequence[Times]) -> Times:
    return median(one for one, _ in times), median(four for _, four in times)


def wait_until_heard() -> None:
    """A value that is kept for a second only would be loaded while it is timed."""
    ends_s = time.monotonic() + 10
    while SystemConfig.objects.listener_status().lease_age_s is None:
        if time.monotonic() > ends_s:
            raise TimeoutError("the listener never heard anything")
        time.sleep(0.01)


def constance() -> Times:
    """Time django-constance in a process of its own, whose settings know it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.config.constance_reads"],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "benchmarks.config.constance_settings"},
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    one, four = (float(word) for word in done.stdout.split())
    return one, four


if __name__ == "__main__":
    main()
