"""`make upgrade`: runs the previous release, with a failing exchange, while this tree's migrations run.

Exits 1 when its log names a refusal of the database, or when a minute of its health history is missing.
`--variant needed` adds a column that it doesn't know and that needs a value: exits 1 unless that is found.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.upgrade.baseline import COMMIT, RELEASE
from tests.upgrade.release_before import HistoryIsMissing, ReleaseBefore

NEEDED = """
ALTER TABLE health_sample ADD COLUMN odd boolean NOT NULL DEFAULT false;
ALTER TABLE health_sample ALTER COLUMN odd DROP DEFAULT
"""
MISSING = """
SELECT minute, component FROM generate_series(
  (SELECT min(at) FROM health_sample),
  date_trunc('minute', now() - interval '30 s') - interval '1 min', interval '1 min'
) AS minute CROSS JOIN (SELECT DISTINCT component FROM health_sample) AS known
WHERE NOT EXISTS (SELECT FROM health_sample s WHERE s.at = minute AND s.component = known.component)
"""


def main() -> int:
    """Run it once and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=150, help="how long it runs on afterwards")
    parser.add_argument("--variant", choices=["needed"], default="", help="a schema that it can't use")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        try:
            wrong = _run(ReleaseBefore(folder), given.seconds, NEEDED if given.variant else "")
        except HistoryIsMissing as error:
            _say(str(error))
            return 2
    for line in wrong[:10]:
        _say(line[:300])
    _say(f"{len(wrong)} things wrong")
    return int(bool(wrong) != bool(given.variant))


def _run(old: ReleaseBefore, seconds: float, spoil: str) -> list[str]:
    _say(f"starting {RELEASE} ({COMMIT})")
    old.start()
    try:
        old.manage("sandbox", "fault", "add", "503", "--path", "/v1/*", "--every", "3", "--times", "0")
        _wait_for_samples(old)
        _say(old.migrate_with_this_tree().strip())
        if spoil:
            old.query(spoil)
        _trade(old)
        time.sleep(seconds)
        _trade(old)
        missing = [f"{component}: no sample of {minute}" for minute, component in old.query(MISSING)]
        [(minutes,)] = old.query("SELECT count(DISTINCT at) FROM health_sample")
        _say(f"health history of {minutes} minutes")
        return [*old.refusals(), *missing]
    finally:
        old.stop()


def _wait_for_samples(old: ReleaseBefore) -> None:
    while not old.query("SELECT 1 FROM health_sample"):
        time.sleep(1)


def _trade(old: ReleaseBefore) -> None:
    old.manage("sandbox", "answer", "BUY")
    for job in ("generate_trading_signal", "sync_pending_orders", "cleanup_old_data"):
        old.manage("jobs", "run", job, check=False)  # it may fail for the exchange


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
