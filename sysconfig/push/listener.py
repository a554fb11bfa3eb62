"""Listens for configuration changes made by any process, and invalidates them in this process's cache.

The first miss starts one daemon thread with its own connection. See docs/config-cache.md, rules 18 to 24.
"""

import atexit
import logging
import os
import random
import socket
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connections, router

from sysconfig.cache import UNLEASED_TTL_S, TTLCache
from sysconfig.push import processes
from sysconfig.push.connection import direct_connect
from sysconfig.push.session import ListenerStats, NotHearing, Session, TimedConnection

_CONNECTION = {
    "application_name": "sysconfig-listener",
    "connect_timeout": 3,
    # A host that is gone is detected after about 9 s; one that is silent, by the heartbeat.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 9000,
    "options": "-c statement_timeout=3000 -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2"
    " -c tcp_keepalives_count=2",
}
_STOP_S = 0.9

logger = logging.getLogger(__name__)
config_cache: TTLCache[Any] = TTLCache(leased=True)


@dataclass(frozen=True)
class ListenerStatus:
    """How well this process receives changes.

    `lease_age_s` is the time since the last heartbeat that came back was sent. `listening` is True while a
    heartbeat of the last lease came back, or the listener is younger than a lease.
    """

    started: bool = False
    listening: bool = False
    lease_age_s: float | None = None
    reconnects: int = 0
    missed_notifications: int = 0
    fingerprint: str | None = None


class ConfigListener:
    """Keeps `cache` consistent with the table until it is stopped; reconnects after every failure."""

    def __init__(
        self,
        cache: TTLCache[Any],
        *,
        period_s: float = 5.0,
        anti_entropy_s: float = 60.0,
        delays_s: tuple[float, float] = (0.05, 5.0),
    ) -> None:
        """Create a listener; `start` runs it.

        Args:
            cache: what to invalidate.
            period_s: between heartbeats; a lease lasts three periods.
            anti_entropy_s: between comparisons with the table, which find changes without a notification.
            delays_s: the first and the longest wait before a reconnect.
        """
        self._cache = cache
        self._period_s, self._anti_entropy_s, self._delays_s = period_s, anti_entropy_s, delays_s
        self._ending = threading.Event()
        self._wake: socket.socket
        self._wake_reader: socket.socket
        self._thread = threading.Thread(target=self._run, name="sysconfig-listener", daemon=True)
        self._stats = ListenerStats(monotonic())
        self._process = processes.this_process(uuid4(), datetime.now(UTC))

    def start(self) -> None:
        """Start the thread; call it once only.

        Raises:
            RuntimeError: the process cannot start another thread.
            OSError: there are too many open files.
        """
        self._wake, self._wake_reader = socket.socketpair()
        try:
            self._thread.start()
        except RuntimeError:
            self._wake.close()
            self._wake_reader.close()
            raise

    def stop(self, timeout_s: float = _STOP_S) -> None:
        """End the session, and wait at most this long. Safe in a signal handler."""
        self._ending.set()  # takes no lock: the thread that a signal interrupts may hold it
        with suppress(OSError):  # the thread has ended and closed it
            self._wake.send(b"\0")
        self._thread.join(timeout_s)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def status(self) -> ListenerStatus:
        stats, now_s = self._stats, monotonic()
        heartbeat_s = stats.heartbeat_s
        silent_s = now_s - (stats.started_s if heartbeat_s is None else heartbeat_s)
        return ListenerStatus(
            started=True,
            listening=silent_s <= 3 * self._period_s,
            lease_age_s=None if heartbeat_s is None else now_s - heartbeat_s,
            reconnects=max(0, stats.sessions - 1),
            missed_notifications=stats.missed,
            fingerprint=stats.fingerprint,
        )

    def _run(self) -> None:
        with self._wake, self._wake_reader:
            failures = 0
            while not self._ending.is_set():
                sessions = self._stats.sessions
                try:
                    self._listen()
                except Exception as error:  # noqa: BLE001 - after any error the lease ends, so nothing outdated is served
                    failures = 1 if self._stats.sessions > sessions else failures + 1
                    if failures == 1:  # log only the first of repeated failures
                        self._log(error)
                    self._ending.wait(self._delay_s(failures))

    def _listen(self) -> None:
        with closing(self._connect()) as connection:
            session = Session(
                connection,
                self._cache,
                self._stats,
                self._process,
                period_s=self._period_s,
                anti_entropy_s=self._anti_entropy_s,
            )
            try:
                session.run(self._ending, self._wake_reader, self._notify_from_second_connection)
            finally:
                self._cache.end_lease()  # first of all, so that nothing outdated is served
            processes.forget(connection, self._process)

    def _connect(self) -> TimedConnection:
        alias = router.db_for_write(processes.ConfigProcess)
        connection = direct_connect(TimedConnection, connections[alias], **_CONNECTION)
        connection.answer_s = self._period_s
        return connection

    def _notify_from_second_connection(self, channel: str, payload: str) -> None:
        with closing(self._connect()) as connection:
            connection.execute("SELECT pg_notify(%s, %s)", [channel, payload])

    def _delay_s(self, failures: int) -> float:
        first, longest = self._delays_s
        # Jitter, since all processes lose the server at the same time.
        return float(min(longest, first * 2 ** min(failures - 1, 20)) * random.uniform(0.5, 1))  # noqa: S311 - no secret

    def _log(self, error: Exception) -> None:
        level = logging.ERROR if isinstance(error, NotHearing) else logging.WARNING
        logger.log(
            level,
            "no notifications of configuration changes; values are cached for %g s: %s: %s",
            UNLEASED_TTL_S,
            type(error).__name__,
            error,
        )


class _ThisProcess:
    def __init__(self) -> None:
        # Reentrant: a signal handler may stop the listener while this thread starts it.
        self.lock = threading.RLock()
        self.listener: ConfigListener | None = None
        self.over = False


_this = _ThisProcess()


def ensure_listening() -> None:
    """Start this process's listener unless it runs, or `SYSCONFIG_LISTEN` is off. Never raises."""
    listener = _this.listener
    if (listener is not None and listener.is_alive()) or not settings.SYSCONFIG_LISTEN:
        return
    with _this.lock:
        if _this.over or (_this.listener is not None and _this.listener.is_alive()):
            return
        try:
            fresh = ConfigListener(config_cache)
            fresh.start()
        except (RuntimeError, OSError) as error:  # out of threads or files: reads work without a listener
            logger.error("no notifications of configuration changes: %s", error)  # noqa: TRY400 - the message says it all
        else:
            _this.listener = fresh


def stop_listening() -> None:
    """Stop this process's listener within a second. The next miss starts a new one."""
    with _this.lock:
        listener, _this.listener = _this.listener, None
    if listener is not None:
        listener.stop()


def status() -> ListenerStatus:
    listener = _this.listener
    return ListenerStatus() if listener is None else listener.status()


def _stop_at_exit() -> None:
    _this.over = True
    stop_listening()


def _forget_in_child() -> None:
    # Thread and session belong to the parent: closing the connection here would end the parent's session.
    _this.__init__()  # type: ignore[misc]  # a reset


atexit.register(_stop_at_exit)
os.register_at_fork(after_in_child=_forget_in_child)
