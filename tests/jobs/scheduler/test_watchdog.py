import os
import signal
import subprocess
import sys

import pytest

from tests.jobs.processes import ROOT, WITHIN_S
from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.scheduler.watchdog import FROZEN, OVER_HARD_LIMIT, Watchdog

LIMITS = Intervals(frozen_after_s=15, loop_dead_after_s=30)


class Patient:
    def __init__(self, silent_s=0.0, loop_silent_s=0.0, over=()):
        self.silent_s = silent_s
        self.loop_silent_s = loop_silent_s
        self.over = list(over)

    def over_hard_limit(self):
        return self.over

    def log_hard_limit(self, name): ...


@pytest.mark.parametrize(
    ("patient", "verdict"),
    [
        (Patient(silent_s=15, loop_silent_s=45), 0),
        (Patient(silent_s=15.1), FROZEN),
        (Patient(loop_silent_s=45.1), FROZEN),
        (Patient(over=[("slow", 14.2)]), OVER_HARD_LIMIT),
        (Patient(silent_s=16, over=[("slow", 14.2)]), FROZEN),
    ],
)
def test_it_condemns_a_process_that_does_not_come_round_and_one_with_a_job_that_never_ends(patient, verdict):
    assert Watchdog(patient, LIMITS).verdict() == verdict


def test_it_looks_on_until_it_is_told_to_end():
    watchdog = Watchdog(Patient(), Intervals(watch_every_s=0.01))
    watchdog.start()
    watchdog.join(0.1)
    assert watchdog.is_alive()

    watchdog.end()
    watchdog.join(WITHIN_S)

    assert not watchdog.is_alive()


PROGRAM = """
import logging, sys, threading
from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.scheduler.watchdog import Watchdog

class Patient:
    silent_s = loop_silent_s = 0
    def over_hard_limit(self):
        return [("slow", 14.2)]
    def log_hard_limit(self, name):
        print("told", name, flush=True)
        logging.getLogger().error("told")

handler = logging.StreamHandler()
logging.getLogger().addHandler(handler)
if sys.argv[1] == "stuck":
    handler.acquire()
Watchdog(Patient(), Intervals(watch_every_s=0.01)).start()
threading.Event().wait()
"""


@pytest.mark.parametrize(("log", "code"), [("free", OVER_HARD_LIMIT), ("stuck", -signal.SIGALRM)])
def test_its_end_is_told_and_does_not_wait_for_a_log_that_is_stuck(log, code):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, log],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout.splitlines()[0]) == (code, "told slow")
