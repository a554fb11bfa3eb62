"""Listeners for tests: on the real server, with a clock that the test moves on."""

import time

from django.db import connection

from sysconfig.push.listener import ConfigListener
from sysconfig.push.session import CHANNEL

LONG_S = 100.0  # a period in which nothing is due within a test, unless its clock is moved on
SHORT_S = 0.3  # for what must be given up; never for what must be kept
DELAYS_S = (0.01, 0.05)


class Clock:
    """The monotonic clock, which a test can move on."""

    def __init__(self):
        self.ahead_s = 0.0

    def __call__(self):
        return time.monotonic() + self.ahead_s

    def pass_time(self, heard, seconds):
        """Move on, and wake the listener to see what is due."""
        channels = heard.session.execute("SELECT pg_listening_channels()").fetchall()
        self.ahead_s += seconds
        for (channel,) in channels:
            if channel != CHANNEL:
                sql("SELECT pg_notify(%s, 'wake')", channel)


class RecordingListener(ConfigListener):
    """Remembers its connections and pauses, and gives a test its session."""

    def __init__(self, *args, **options):
        self.opened, self.delays = [], []
        super().__init__(*args, **options)

    def _connect(self):
        self.opened.append(super()._connect())
        return self.opened[-1]

    def _delay_s(self, failures):
        self.delays.append(super()._delay_s(failures))
        return self.delays[-1]

    @property
    def session(self):
        """The connection that listens; the last that was opened may have sent the first heartbeat."""
        return next(each for each in reversed(self.opened) if not each.closed)


class SilentListener(RecordingListener):
    """Its first heartbeat never arrives."""

    def _notify_from_second_connection(self, channel, payload):
        pass


def until(condition, timeout_s=60.0):
    """Wait for what another thread does, and return what `condition` gave at last."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)
    return found


def sql(statement, *parameters):
    """Run a statement past every signal of Django, as psql would; return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else None


def update(key, value):
    sql("UPDATE system_config SET value = %s WHERE key = %s", value, key)


def stored(key):
    """Return a factory that loads the text of `key`."""

    def load():
        return sql("SELECT value FROM system_config WHERE key = %s", key)[0][0]

    return load


def row_of(heard):
    """Return `(backend_pid, fingerprint, since)` of the listener's process, or None."""
    rows = sql(
        "SELECT backend_pid, fingerprint, since FROM system_config_process WHERE id = %s", heard._process.id
    )
    return rows[0] if rows else None


def terminate(heard):
    sql("SELECT pg_terminate_backend(%s, 5000)", heard.session.info.backend_pid)
