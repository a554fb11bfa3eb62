"""`runscheduler` with a broken part (docs/scheduler.md F23, F30): `python -m tests.jobs.faults unlocked`."""

import sys
import threading

import django
from django.core.management import execute_from_command_line


def unlocked():
    """Grant the lock to every process at any time."""
    from tradingsite.jobs.scheduler import lock

    lock._TRY = lock._HOLDS = "SELECT count(*) FROM (VALUES (%s::bigint, %s::bigint)) AS anything"


def loop_dies():
    """End the loop's thread in its tenth round."""
    _in_the_tenth_round(sys.exit)


def loop_hangs():
    """Never return from the tenth round."""
    _in_the_tenth_round(threading.Event().wait)


def _in_the_tenth_round(do):
    from tradingsite.jobs.scheduler.loop import SafeScheduler

    rounds = []
    whole = SafeScheduler._round

    def counted(self):
        rounds.append(1)
        if len(rounds) >= 10:
            do()
        return whole(self)

    SafeScheduler._round = counted  # type: ignore[method-assign]  # that is the fault


if __name__ == "__main__":
    django.setup()
    {fault.__name__: fault for fault in (unlocked, loop_dies, loop_hangs)}[sys.argv[1]]()
    execute_from_command_line(["manage.py", "runscheduler"])
