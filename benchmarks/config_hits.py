"""The table of hits. It runs as a process whose environment names the database."""

import os
import subprocess
import sys
import time

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.peers import peers
from benchmarks.timing import ROUNDS, holds, ns_a_call, say

django.setup()

from sysconfig.models import SystemConfig  # noqa: E402 - after setup

HIT_BAR, THREADS_BAR = 10.0, 1.2
CALLS = 400_000
KEY = "stop_loss_pct"


def hits() -> bool:
    """Time hits with one thread and with four; return whether the bars hold."""
    get_value = SystemConfig.objects.get_value
    get_value(KEY)
    wait_until_heard()
    value = get_value(KEY)
    reads = {"dict.get": {KEY: value}.get, "get_value, bound once": get_value, **peers({KEY: value})}
    say(f"\nA hit: the median of {ROUNDS} rounds; the ratio is to dict.get with one thread (about 15 s)")
    say(f"  {'':<44}{'one thread':>20}{'four threads, a call':>26}")
    base, ours = 0.0, (0.0, 0.0)
    for name, read in reads.items():
        calls = CALLS if read is get_value or not base else CALLS // 8
        one, four = (ns_a_call(f"read({KEY!r})", {"read": read}, calls, threads) for threads in (1, 4))
        base, ours = base or one, (one, four) if read is get_value else ours
        line(name, one, four, base)
    names: dict[str, object] = {"S": SystemConfig}
    one, four = (ns_a_call(f"S.objects.get_value({KEY!r})", names, CALLS // 8, n) for n in (1, 4))
    line("SystemConfig.objects.get_value, each time", one, four, base)
    line("django-constance, database, dict as cache", *constance(), base)
    say(f"  ours to dict.get: {holds(ours[0] / base, HIT_BAR)}")
    say(f"  four threads to one: {holds(ours[1] / ours[0], THREADS_BAR)}")
    return ours[0] / base <= HIT_BAR and ours[1] / ours[0] <= THREADS_BAR


def line(name: str, one: float, four: float, base: float) -> None:
    say(f"  {name:<44}{one:>10,.0f} ns{one / base:>6.1f} x{four:>16,.0f} ns{four / base:>6.1f} x")


def wait_until_heard() -> None:
    """A value that is kept for a second only would be loaded while it is timed."""
    ends_s = time.monotonic() + 10
    while SystemConfig.objects.listener_status().lease_age_s is None:
        if time.monotonic() > ends_s:
            raise TimeoutError("the listener never heard anything")
        time.sleep(0.01)


def constance() -> tuple[float, float]:
    """Time django-constance in a process of its own, whose settings know it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.constance_reads"],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "benchmarks.constance_settings"},
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    one, four = (float(word) for word in done.stdout.split())
    return one, four


if __name__ == "__main__":
    sys.exit(not hits())
