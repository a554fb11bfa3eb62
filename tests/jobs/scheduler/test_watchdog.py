import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.jobs.processes import ROOT, WITHIN_S
from tradingsite.jobs.scheduler.intervals import Intervals
from tradingsite.jobs.scheduler.watchdog import FROZEN, OVER_HARD_LIMIT, Watchdog

LIMITS = Intervals(frozen_after_s=15, loop_dead_after_s=30)


class Watched:
    def __init__(self, silent_s=0.0, loop_silent_s=0.0, over=()):
        self.silent_s = silent_s
        self.loop_silent_s = loop_silent_s
        self.over = list(over)

    def over_hard_limit(self):
        return self.over

    def log_hard_limit(self, name): ...


@pytest.mark.parametrize(
    ("watched", "verdict"),
    [
        (Watched(silent_s=15, loop_silent_s=45), 0),
        (Watched(silent_s=15.1), FROZEN),
        (Watched(loop_silent_s=45.1), FROZEN),
        (Watched(over=[("slow", 14.2)]), OVER_HARD_LIMIT),
        (Watched(silent_s=16, over=[("slow", 14.2)]), FROZEN),
    ],
)
def test_verdict_ends_a_silent_process_and_one_with_a_run_over_its_hard_limit(watched, verdict):
    assert Watchdog(watched, LIMITS).verdict() == verdict


def test_watchdog_looks_again_until_it_is_ended():
    looks = threading.Semaphore(0)

    class Looked(Watched):
        def over_hard_limit(self):
            looks.release()
            return []

    watchdog = Watchdog(Looked(), Intervals(watch_every_s=0.01))
    watchdog.start()
    assert all(looks.acquire(timeout=WITHIN_S) for _ in range(3))

    watchdog.end()
    watchdog.join(WITHIN_S)

    assert not watchdog.is_alive()


PROGRAM = """
import logging, sys, threading
from tradingsite.jobs.scheduler import watchdog
from tradingsite.jobs.scheduler.intervals import Intervals

class Watched:
    silent_s = loop_silent_s = 0
    def over_hard_limit(self):
        return [("slow", 14.2)]
    def log_hard_limit(self, name):
        print("logs", name, flush=True)
        logging.getLogger().error("over its limit")

handler = logging.StreamHandler()
logging.getLogger().addHandler(handler)
if sys.argv[1] == "stuck":
    handler.acquire()
    watchdog._LAST_WORDS_S = 1
watchdog.Watchdog(Watched(), Intervals(watch_every_s=0.01)).start()
threading.Event().wait()
"""


@pytest.mark.parametrize(("log", "code"), [("free", OVER_HARD_LIMIT), ("stuck", -signal.SIGALRM)])
def test_watchdog_logs_the_end_and_does_not_wait_for_a_stuck_log(log, code):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, log],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout.splitlines()[0]) == (code, "logs slow")
