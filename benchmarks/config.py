"""`make bench-config`: a setting read, and a change heard, next to what one could install instead."""

import os
import subprocess
import sys

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.timing import holds, percentile, say

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from benchmarks.push import bare_and_ours  # noqa: E402 - after setup
from tests.sysconfig.processes.house import House, housed  # noqa: E402 - after setup

EDITS = 500
PUSH_BAR = 3.0


def hits(house: House) -> bool:
    """Time hits in a process that knows the house; return whether the bars hold."""
    own = {"DATABASE_URL": house.url, "DJANGO_SETTINGS_MODULE": "tradingsite.settings"}
    command = [sys.executable, "-m", "benchmarks.config_hits"]
    return subprocess.run(command, env=house.env | own, check=False).returncode == 0  # noqa: S603 - ours


def push(house: House) -> bool:
    """Time commit → another process has it, ours and bare, turn by turn; return whether the bar holds."""
    say(f"\nFrom before COMMIT to another process having it: {EDITS} edits, turn by turn (about 10 s)")
    found = bare_and_ours(house, EDITS)
    rows = {
        "bare NOTIFY, one way": found.one_way,
        "bare LISTEN/NOTIFY round trip": found.round_trip,
        "get_value gives it": found.ours,
    }
    say(f"  {'':<44}{'p50':>12}{'p99':>12}")
    for name, times_s in rows.items():
        p50, p99 = (percentile(times_s, pct) * 1000 for pct in (50, 99))
        say(f"  {name:<44}{p50:>9.3f} ms{p99:>9.3f} ms")
    ratios = [percentile(found.ours, pct) / percentile(found.round_trip, pct) for pct in (50, 99)]
    say(f"  to the round trip, p50: {holds(ratios[0], PUSH_BAR)}; p99: {holds(ratios[1], PUSH_BAR)}")
    return ratios[1] <= PUSH_BAR


def main() -> bool:
    """Measure both on a server of their own; return whether all bars hold."""
    say(f"Python {sys.version.split()[0]}, Django {django.__version__}; first a database is made, 5 s")
    with housed() as house:
        house.env["DATABASE_DIRECT_URL"] = house.url  # the proxy would be measured too
        return all([hits(house), push(house)])


if __name__ == "__main__":
    sys.exit(not main())
