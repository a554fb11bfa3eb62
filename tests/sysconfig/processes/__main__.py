"""`make faults-config` and `make stress-config`: the long forms, with figures."""

import os
import sys

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
django.setup()

from sysconfig.cache import TTLCache  # noqa: E402 - after setup
from tests.sysconfig.processes import faults  # noqa: E402 - after setup
from tests.sysconfig.processes.house import Reader, running_server  # noqa: E402 - after setup
from tests.sysconfig.processes.stress import stressed  # noqa: E402 - after setup
from tests.sysconfig.test_cache_stress import READERS, Naive, stale_reads  # noqa: E402 - after setup


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def row(name, found, bar_s):
    verdict = "holds" if found.stale_s <= bar_s else "BROKEN"
    say(
        f"  {name:<44}{found.stale_s * 1000:>10,.1f} ms{found.seen_s * 1000:>12,.1f} ms"
        f"{bar_s * 1000:>10,.0f} ms  {verdict}"
    )
    return found.stale_s <= bar_s


def measure(period_s, anti_entropy_s):
    """Make each fault once with these periods; return whether every bound was kept."""
    say(
        f"\nPeriod {period_s:g} s, lease {3 * period_s:g} s, comparison every {anti_entropy_s:g} s."
        " Each line waits for its bound at worst."
    )
    say(f"  {'fault':<44}{'old value read':>13}{'new one seen':>15}{'bound':>13}")
    bar_s, bars_met = faults.bound_s(period_s), []
    with running_server() as db_server:
        db_server.env["LOG_LEVEL"] = "ERROR"  # lost connections are expected

        def run(name, fault, *arguments, bar_s=bar_s, **options):
            process = Reader(db_server, period_s, anti_entropy_s, **options)
            try:
                bars_met.append(row(name, fault(db_server, process, *arguments), bar_s))
                faults.wait_for_push(db_server, process)
            finally:
                process.close()

        run("none", faults.calm, period_s)
        run("the listener's session is terminated", faults.terminated, period_s)
        run("PostgreSQL is restarted", faults.restarted, period_s)
        run("the network swallows every byte", faults.swallowed, period_s)
        run("UNLISTEN", faults.unlistened, period_s)
        run("SIGSTOP for half a period", faults.stopped, 0.5 * period_s, period_s)
        run("SIGSTOP for four periods", faults.stopped, 4 * period_s, period_s)
        run("no trigger fires", faults.silenced, anti_entropy_s, bar_s=anti_entropy_s + 1)
    return all(bars_met)


def stress(reads):
    """Count stale reads in one process and over processes, of ours and of a naive variant each."""
    say(f"In one process: {READERS} threads read, one changes and invalidates.")
    ours = stale_reads(TTLCache(), reads // READERS)
    say(f"  ours  {ours:>8,} stale of {reads:,}")
    naive = stale_reads(Naive(), reads // READERS // 10)
    say(f"  naive {naive:>8,} stale of {reads // 10:,}")
    say("Over processes: another process changes the row, two threads read it after its notification.")
    counts = []
    with running_server() as db_server:
        for variant, share in (("", 1), ("storing_what_was_overtaken", 10)):
            process = Reader(db_server, 5, variant=variant)
            try:
                found = stressed(db_server, process, max(30_000, reads // share // 2))
            finally:
                process.close()
            counts.append(found["stale"])
            say(
                f"  {'naive' if variant else 'ours ':<6}{found['stale']:>8,} stale of {found['reads']:,};"
                f" {found['heard']:,} changes, {found['discarded']:,} discarded, {found['took_s']:.0f} s"
            )
    return ours == counts[0] == 0 < min(naive, counts[1])


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    fine = stress(int(words[0])) if what == "stress" else measure(float(words[0]), float(words[1]))
    sys.exit(not fine)
