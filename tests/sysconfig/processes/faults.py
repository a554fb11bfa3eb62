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


def calm(db_server, reader, period_s):
    """Nothing is wrong."""
    return outcome(reader, db_server.edit(), bound_s(period_s))


def terminated(db_server, reader, period_s):
    """The server ends the listener's session."""
    terminate_session(db_server, reader)
    return outcome(reader, db_server.edit(), bound_s(period_s))


def terminate_session(db_server, reader):
    db_server.query(
        "SELECT pg_terminate_backend(backend_pid, 5000) FROM system_config_process WHERE pid = %s", reader.pid
    )


def restarted(db_server, reader, period_s):
    """PostgreSQL is stopped and started; no read succeeds before Django's pool has found it again."""
    db_server.stop()
    db_server.start()
    return outcome(reader, db_server.edit(), bound_s(period_s))


def swallowed(db_server, reader, period_s):
    """The network loses every byte of the listener's connection, and closes nothing."""
    settle(db_server, reader)
    db_server.proxy.swallow()
    try:
        return outcome(reader, db_server.edit(), bound_s(period_s))
    finally:
        db_server.proxy.heal()


def unlistened(db_server, reader, period_s):
    """The session stays, and no longer listens."""
    settle(db_server, reader)  # so that the open connection is the session's
    reader.command("unlisten")
    reader.until(event="unlistened")
    return outcome(reader, db_server.edit(), bound_s(period_s))


def silenced(db_server, reader, anti_entropy_s):
    """The change fires no trigger, as under pg_restore --disable-triggers. Takes the time of a comparison."""
    return outcome(reader, edit_silently(db_server), anti_entropy_s)


def edit_silently(db_server):
    return db_server.edit(before="SET session_replication_role = replica")


def stopped(db_server, reader, stop_s, period_s):
    """The process itself is stopped while the change is made; counted from when it goes on."""
    reader.send(signal.SIGSTOP)
    edit = db_server.edit()
    threading.Event().wait(stop_s)
    from_s = time.monotonic()
    reader.send(signal.SIGCONT)
    return outcome(reader, edit, bound_s(period_s), from_s)


def settle(db_server, reader):
    """Wait until the reader has nothing left to say to the server."""
    outcome(reader, db_server.edit(), within_s=0)  # an earlier change may have been a silent one
    wait_for(
        db_server,
        "SELECT 1 FROM system_config_process WHERE pid = %s AND fingerprint = system_config_fingerprint()",
        reader.pid,
    )


def wait_for_push(db_server, reader):
    """Make changes until one of them arrives by notification, which the cache counts."""
    ends_s = time.monotonic() + WITHIN_S
    notified = reader.report()["invalidations"]["notify"]
    while reader.report()["invalidations"]["notify"] == notified:
        assert time.monotonic() < ends_s, "no change is pushed"
        outcome(reader, db_server.edit(), within_s=0)
