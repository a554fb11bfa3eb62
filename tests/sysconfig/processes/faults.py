"""What can go wrong between a change and a process that reads; each fault says how long old values were read.

Every function takes the server, a reader and its period, makes one change and returns how many seconds after
the commit the old value was last read (`stale_s`) and after how many the new one first was (`seen_s`).
"""

import signal
import threading
import time
from typing import NamedTuple

from tests.jobs.processes import wait_for
from tests.sysconfig.processes.house import WITHIN_S


class RunResult(NamedTuple):
    stale_s: float
    seen_s: float


def bound_s(period_s):
    """Return the longest that an old value may be read: a lease, and one load that was kept without it."""
    return 3 * period_s + 1


def outcome(reader, edit, within_s, from_s=None):
    """Wait until the reader has the new value, which should take `within_s` on a machine that is not busy."""
    value, committed_s = edit
    at_s, old_until_s = reader.seen(value, within_s + WITHIN_S)
    begun_s = committed_s if from_s is None else from_s
    return RunResult(max(0.0, old_until_s - begun_s), at_s - begun_s)


def calm(house, reader, period_s):
    """Nothing is wrong."""
    return outcome(reader, house.edit(), bound_s(period_s))


def terminated(house, reader, period_s):
    """The server ends the listener's session."""
    terminate_session(house, reader)
    return outcome(reader, house.edit(), bound_s(period_s))


def terminate_session(house, reader):
    house.ask(
        "SELECT pg_terminate_backend(backend_pid, 5000) FROM system_config_process WHERE pid = %s", reader.pid
    )


def restarted(house, reader, period_s):
    """PostgreSQL is stopped and started; no read succeeds before Django's pool has found it again."""
    house.stop()
    house.start()
    return outcome(reader, house.edit(), bound_s(period_s))


def swallowed(house, reader, period_s):
    """The network loses every byte of the listener's connection, and closes nothing."""
    settle(house, reader)
    house.proxy.swallow()
    try:
        return outcome(reader, house.edit(), bound_s(period_s))
    finally:
        house.proxy.heal()


def unlistened(house, reader, period_s):
    """The session stays, and no longer listens."""
    reader.command("unlisten")
    reader.until(event="unlistened")
    return outcome(reader, house.edit(), bound_s(period_s))


def silenced(house, reader, anti_entropy_s):
    """The change fires no trigger, as under pg_restore --disable-triggers. Takes the time of a comparison."""
    return outcome(reader, edit_silently(house), anti_entropy_s)


def edit_silently(house):
    return house.edit(before="SET session_replication_role = replica")


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
    outcome(reader, house.edit(), within_s=0)  # an earlier change may have been a silent one
    wait_for(
        house,
        "SELECT 1 FROM system_config_process WHERE pid = %s AND fingerprint = system_config_fingerprint()",
        reader.pid,
    )


def wait_for_push(house, reader):
    """Make changes until one of them arrives by notification, which the cache counts."""
    ends_s = time.monotonic() + WITHIN_S
    notified = reader.report()["invalidations"]["notify"]
    while reader.report()["invalidations"]["notify"] == notified:
        assert time.monotonic() < ends_s, "no change is pushed"
        outcome(reader, house.edit(), within_s=0)
