"""The table of hits. It runs as a process whose environment names the database."""

import os
import subprocess
import sys
import time

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.config.peers import peers
from benchmarks.report import measured
from benchmarks.timing import ROUNDS, ns_a_call, say

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
    get_value = SystemConfig.objects.get_value
    get_value(KEY)
    wait_until_heard()
    value = get_value(KEY)
    reads = {"dict.get": {KEY: value}.get, OURS: get_value, **peers({KEY: value})}
    found = {
        name: _times("read", read, CALLS if name in ("dict.get", OURS) else CALLS // 8)
        for name, read in reads.items()
    }
    found["SystemConfig.objects.get_value, each time"] = _times(
        "S.objects.get_value", SystemConfig, CALLS // 8
    )
    found["django-constance, database, dict as cache"] = constance()
    return found


def _times(expression: str, what: object, calls: int) -> Times:
    names = {expression.partition(".")[0]: what}
    one, four = (ns_a_call(f"{expression}({KEY!r})", names, calls, threads) for threads in (1, 4))
    return one, four


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
