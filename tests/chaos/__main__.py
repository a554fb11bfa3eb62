"""`make chaos`: hundreds of orders while everything is killed and restarted. Exits 1 on a violation.

python -m tests.chaos --seconds 300 --seed 7
python -m tests.chaos --seconds 20 --variant new    # exits 1 unless the audit finds its doubled orders
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.chaos.storm import ChaosRun  # noqa: E402 - models need Django first
from tests.chaos.variants import VARIANTS  # noqa: E402 - as above

LONG_ENOUGH_S = 60
FOUND_OUT_BY = {"new": "on the exchange but not in our books", "same": "two POSTs for one intent"}


def main() -> int:
    """Do one chaos run and print its report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: another one each time")
    parser.add_argument(
        "--variant", choices=sorted(VARIANTS), default="", help="a broken client, to see the audit fail"
    )
    given = parser.parse_args()
    sys.stdout.write(
        f"seed {given.seed}, {given.seconds:g} s, {given.variant or 'the project itself'}" + "\n"
    )
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        run = ChaosRun(folder, seed=given.seed, variant=given.variant)
        try:
            run.inject_faults(given.seconds)
            report = run.audit(given.seconds)
        finally:
            run.close()
    sys.stdout.write(report.text() + "\n")
    if not given.variant:
        too_few = report.too_few() if given.seconds >= LONG_ENOUGH_S else []
        for line in too_few:
            sys.stdout.write(f"too few to be a test: {line}\n")
        return 1 if report.wrong or too_few else 0
    found = any(FOUND_OUT_BY[given.variant] in line for line in report.wrong)
    sys.stdout.write(f"the broken variant was {'found out' if found else 'NOT found out'}\n")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
