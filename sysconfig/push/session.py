"""One database session of the listener, from LISTEN to its end (docs/config-cache.md, rules 18 to 21)."""

import logging
import math
import secrets
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout

from sysconfig.cache import TTLCache
from sysconfig.push import processes
from sysconfig.push.processes import Process

CHANNEL = "system_config"
_LISTEN = sql.SQL("LISTEN {}; LISTEN {}")
_NOTIFY = "SELECT pg_notify(%s, %s)"
_QUIET_S = 0.2  # without a change before the new version is recorded, so that a burst counts as one version
_LATE_S = 2.0  # the longest delay, however many changes follow

logger = logging.getLogger(__name__)


class NotHearing(Exception):
    """The session cannot prove that it receives changes."""


class TimedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that raises when the server does not answer in time."""

    answer_s = 5.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run psycopg's generator to its end, with `answer_s` as the limit if it has none of its own.

        Raises:
            NotHearing: the server did not answer in time.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_s)
        except _WaitTimeout as error:
            raise NotHearing(f"the server gave no answer within {self.answer_s:g} s") from error


@dataclass
class ListenerStats:
    """Counts over all sessions of a listener. Written by its thread, read by any."""

    started_s: float
    heartbeat_s: float | None = None  # when the last returned heartbeat was sent
    sessions: int = 0  # sessions that received a heartbeat
    missed: int = 0  # changes found by a comparison without a notification
    fingerprint: str | None = None


class Session:
    """Receives changes on one connection, and proves with a heartbeat every period that it still does.

    For use by one thread: psycopg's generator of notifications holds the connection's lock.
    """

    def __init__(
        self,
        connection: TimedConnection,
        cache: TTLCache[Any],
        stats: ListenerStats,
        process: Process,
        *,
        period_s: float,
        anti_entropy_s: float,
    ) -> None:
        self._connection, self._cache, self._stats, self._process = connection, cache, stats, process
        self._period_s, self._anti_entropy_s = period_s, anti_entropy_s
        self._channel = f"{CHANNEL}_{secrets.token_hex(8)}"
        self._nonce = ""  # of the heartbeat that has not come back yet
        self._sent_s = -math.inf
        self._confirmed = False
        self._changed_s = math.inf  # when the first change arrived that is not in the recorded version
        self._version_due_s = 0.0
        self._compare_due_s = math.inf
        self._recorded = ""
        self._compared = ""
        self._notified_since_compare = False  # whether a notification arrived since the last comparison
        self._unexplained_since_s = math.inf  # when a comparison found a change without a notification

    def run(self, ending: threading.Event, wake: socket.socket, notify: Callable[[str, str], None]) -> None:
        """Listen until `ending` is set; write a byte to `wake` to have it checked.

        `notify(channel, payload)` sends the first heartbeat from another connection: behind a transaction
        pooler a session receives its own notifications, but not those of others.

        Raises:
            psycopg.Error: the connection is lost.
            NotHearing: no heartbeat comes back, or the server is a standby.
        """
        self._listen()
        self._beat(notify)
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection.fileno(), selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while not ending.is_set():
                self._drain()
                # Drain again after a task: its query may have received notifications, unseen by select().
                if not self._run_due_task():
                    selector.select(max(0.0, self._next_due_s() - monotonic()))

    def _listen(self) -> None:
        row = self._connection.execute("SELECT pg_is_in_recovery()").fetchone()
        if row is None or row[0]:
            raise NotHearing(
                "the server is a standby, which announces nothing; set DATABASE_DIRECT_URL to the primary"
            )
        # In one transaction: a heartbeat that comes back proves that changes come, too.
        channels = sql.Identifier(CHANNEL), sql.Identifier(self._channel)
        self._connection.execute(_LISTEN.format(*channels))
        # LISTEN first: later changes are received, and the cache is cleared because of earlier ones. Values
        # loaded from now on are at least as new as the first fingerprint.
        self._compared = processes.fingerprint(self._connection)
        self._compare_due_s = monotonic() + self._anti_entropy_s
        self._cache.invalidate_many([None], source="reconnect")

    def _drain(self) -> None:
        """Apply everything that has arrived in one step: changed keys first, then the new lease."""
        keys: list[str | None] = []
        lease_until = None
        for note in list(self._connection.notifies(timeout=0)):
            if note.channel == CHANNEL:
                keys.append(note.payload.removeprefix("k:") if note.payload.startswith("k:") else None)
            elif note.payload == self._nonce:
                lease_until = self._sent_s + 3 * self._period_s
        if keys or lease_until is not None:
            self._cache.invalidate_many(keys, lease_until)
        if keys:
            self._note_change()
        if lease_until is not None:
            self._note_echo()

    def _note_change(self) -> None:
        now_s = monotonic()
        self._notified_since_compare, self._unexplained_since_s = True, math.inf
        self._changed_s = min(self._changed_s, now_s)
        self._version_due_s = min(now_s + _QUIET_S, self._changed_s + _LATE_S)

    def _note_echo(self) -> None:
        self._nonce, self._stats.heartbeat_s = "", self._sent_s
        if not self._confirmed:
            self._confirmed = True
            self._stats.sessions += 1
            logger.log(
                logging.INFO if self._stats.sessions > 1 else logging.DEBUG,
                "receiving notifications of configuration changes",
            )
        # A notification would have arrived before this heartbeat.
        if self._unexplained_since_s < self._sent_s:
            self._unexplained_since_s = math.inf
            self._stats.missed += 1
            logger.warning("the configuration was changed without a notification: are its triggers disabled?")

    def _next_due_s(self) -> float:
        return min(self._sent_s + self._period_s, self._version_due_s, self._compare_due_s)

    def _run_due_task(self) -> bool:
        """Run the first task that is due; return whether there was one."""
        now_s = monotonic()
        if now_s >= self._sent_s + self._period_s:
            self._beat(self._notify)
        elif now_s >= self._version_due_s:
            self._write_version()
        elif now_s >= self._compare_due_s:
            self._compare()
        else:
            return False
        return True

    def _beat(self, notify: Callable[[str, str], None]) -> None:
        if self._nonce:
            raise NotHearing(
                f"no heartbeat came back within {self._period_s:g} s. Transaction pooling? LISTEN needs a"
                " session of its own: set DATABASE_DIRECT_URL to the server, or to a pooler in session mode"
            )
        self._nonce, self._sent_s = secrets.token_hex(8), monotonic()
        notify(self._channel, self._nonce)

    def _notify(self, channel: str, payload: str) -> None:
        self._connection.execute(_NOTIFY, [channel, payload])

    def _write_version(self) -> None:
        """Record the version that this process uses, if it has changed."""
        found = processes.fingerprint(self._connection)
        if not self._recorded:
            processes.prune(self._connection)
        if found != self._recorded:
            processes.record(self._connection, self._process, found)
        self._recorded = self._stats.fingerprint = found
        self._changed_s = self._version_due_s = math.inf

    def _compare(self) -> None:
        """Clear the cache if the table has changed since the last comparison.

        Notifications do not rule that out: the one about a key may come with a silent change of another.
        """
        now_s = monotonic()
        found = processes.fingerprint(self._connection)
        if found != self._compared:
            self._cache.invalidate_many([None], source="anti_entropy")
            self._version_due_s = now_s
            if not self._notified_since_compare:
                self._unexplained_since_s = now_s  # counted as missed unless its notification still arrives
        self._compared, self._notified_since_compare = found, False
        self._compare_due_s = now_s + self._anti_entropy_s
