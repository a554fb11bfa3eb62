"""What can go wrong between a change and a process that reads; each fault says how long old values were read.

Every function takes the house, a reader and its period, makes one change and returns how many seconds after
the commit the old value was last read (`stale_s`) and after how many the new one first was (`seen_s`).
"""

import signal
import threading
import time
from typing import NamedTuple

from tests.jobs.processes import wait_for


class RunResult(NamedTuple):
    stale_s: float
    seen_s: float


def bound_s(period_s):
    """Rule 19: a lease, and one load that was kept without it."""
    return 3 * period_s + 1


def outcome(reader, edit, timeout_s, from_s=None):
    value, committed_s = edit
    at_s, old_until_s = reader.seen(value, timeout_s)
    begun_s = committed_s if from_s is None else from_s
    return RunResult(max(0.0, old_until_s - begun_s), at_s - begun_s)


def calm(house, reader, period_s):
    """Nothing is wrong."""
    return outcome(reader, house.edit(), bound_s(period_s))


def terminated(house, reader, period_s):
    """The listener's session is ended by the server."""
    house.ask(
        "SELECT pg_terminate_backend(backend_pid, 5000) FROM system_config_process WHERE pid = %s", reader.pid
    )
    return outcome(reader, house.edit(), bound_s(period_s))


def restarted(house, reader, _period_s):
    """PostgreSQL is stopped and started; nobody can read before Django's pool has found it again."""
    house.stop()
    house.start()
    return outcome(reader, house.edit(), 20)


def swallowed(house, reader, period_s):
    """The network loses every byte of the listener's connection, and closes nothing."""
    settle(house, reader)
    house.proxy.swallow()
    try:
        return outcome(reader, house.edit(), bound_s(period_s) + 1)
    finally:
        house.proxy.heal()


def unlistened(house, reader, period_s):
    """The session stays, and no longer listens."""
    reader.tell("unlisten")
    reader.until(event="unlistened")
    return outcome(reader, house.edit(), bound_s(period_s) + 1)


def silenced(house, reader, anti_entropy_s):
    """The change fires no trigger, as under pg_restore --disable-triggers. Takes the time of a comparison."""
    edit = house.edit(before="SET session_replication_role = replica")
    return outcome(reader, edit, anti_entropy_s + 2)


def stopped(house, reader, stop_s, period_s):
    """The process itself is stopped while the change is made; counted from when it goes on."""
    reader.send(signal.SIGSTOP)
    edit = house.edit()
    threading.Event().wait(stop_s)
    from_s = time.monotonic()
    reader.send(signal.SIGCONT)
    return outcome(reader, edit, bound_s(period_s), from_s)


def settle(house, reader):
    """Wait until the reader has nothing left to say to the server."""
    wait_for(
        house,
        "SELECT 1 FROM system_config_process WHERE pid = %s AND fingerprint = system_config_fingerprint()",
        reader.pid,
    )


def hears_again(house, reader, period_s):
    """Wait until a change is pushed again: seen long before a lease could end."""
    for _ in range(50):
        if outcome(reader, house.edit(), bound_s(period_s) + 5).seen_s < period_s / 2:
            return
        threading.Event().wait(period_s / 2)
    raise AssertionError("it never came back to push")
