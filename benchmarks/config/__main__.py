"""`make bench-config`: a config value read, and a change received, next to what one could install instead."""

import os
import subprocess
import sys

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.report import measured
from benchmarks.timing import percentile, say

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from benchmarks.config.push import bare_and_ours  # noqa: E402 - after setup
from tests.sysconfig.processes.house import DatabaseServer, running_server  # noqa: E402 - after setup

EDITS = 500


def hits(db_server: DatabaseServer) -> None:
    """Time hits in a process whose environment names the database."""
    own = {"DATABASE_URL": db_server.url, "DJANGO_SETTINGS_MODULE": "tradingsite.settings"}
    command = [sys.executable, "-m", "benchmarks.config.hits"]
    subprocess.run(command, env=db_server.env | own, check=True)  # noqa: S603 - ours


def push(db_server: DatabaseServer) -> None:
    """Time commit → another process has it, ours and bare, in turn."""
    say(f"\nFrom before COMMIT to another process having it: {EDITS} edits, in turn (about 10 s)")
    found = bare_and_ours(db_server, EDITS)
    rows = {
        "bare NOTIFY, one way": found.one_way,
        "bare LISTEN/NOTIFY round trip": found.round_trip,
        "get_value gives it": found.ours,
    }
    say(f"  {'':<44}{'p50':>12}{'p99':>12}")
    for name, times_s in rows.items():
        p50, p99 = (percentile(times_s, pct) * 1000 for pct in (50, 99))
        say(f"  {name:<44}{p50:>9.3f} ms{p99:>9.3f} ms")
    (p50, bare_p50), (p99, bare_p99) = (
        [percentile(times_s, pct) * 1000 for times_s in (found.ours, found.round_trip)] for pct in (50, 99)
    )
    measured("config.push", p99, bare_p99, f"p50: {p50:.2f} ms, {p50 / bare_p50:.2f} x")


def main() -> None:
    """Measure both on a server of their own."""
    say(f"Python {sys.version.split()[0]}, Django {django.__version__}; first a database is made, 5 s")
    with running_server() as db_server:
        db_server.env["DATABASE_DIRECT_URL"] = db_server.url  # the proxy would be measured too
        hits(db_server)
        push(db_server)


if __name__ == "__main__":
    main()
