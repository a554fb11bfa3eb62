"""The cache and its listener with one thing missing or changed; the tests must find out each of them."""

import math
import threading
from time import monotonic
from unittest.mock import patch

from psycopg.sql import Composed

from sysconfig.cache import TTLCache
from sysconfig.push import listener
from sysconfig.push.session import Session, TimedConnection

gate = threading.Event()
"""Lets a connect go on between its two steps."""


def without_lease():
    """Whatever is cached stays valid until a notification, and no heartbeat checks that one could come."""
    listener.config_cache._leased = False
    listener.config_cache.start_over()
    _replace(TTLCache, "end_lease", lambda cache: cache.invalidate())
    _replace(Session, "_beat", _beat_once)


def _beat_once(session, _notify):
    if not session._confirmed:
        session._sent_s = math.inf
        session._note_echo()


def without_comparison():
    """Believes that every change is announced. Prints a line whenever a comparison would be due."""

    def skip(session):
        print('{"event": "skipped"}', flush=True)  # noqa: T201 - to the test that waits for it
        session._compare_due_s = monotonic() + session._anti_entropy_s

    _replace(Session, "_compare", skip)


def without_fork_reset():
    """A child keeps the cached values of its parent."""
    _replace(TTLCache, "start_over", lambda _cache: None)
    _replace(listener._ThisProcess, "__init__", lambda _this: None)


def forgetting_before_listening():
    """Empties the cache first and listens then: what changes in between is neither announced nor read."""
    original = Session._listen

    def listen(session):
        session._cache.invalidate_many([None], source="reconnect")
        _pause()
        with patch.object(session, "_cache", TTLCache()):
            original(session)

    _keep_without_lease()
    _replace(Session, "_listen", listen)


def storing_what_was_overtaken():
    """Stores whatever a load brought, although a change was announced meanwhile."""
    original = TTLCache._land

    def land(cache, key, flight):
        with cache._lock:
            cache._flights[key] = flight
        original(cache, key, flight)

    _replace(TTLCache, "_land", land)


def pausing_between():
    """No fault, but the real order, with the same pause between its two steps."""
    hear = listener.config_cache.invalidate_many

    def paused(keys, lease_until=None, source="notify"):
        if source == "reconnect":
            _pause()
        hear(keys, lease_until, source)

    _keep_without_lease()
    _replace(listener.config_cache, "invalidate_many", paused)


def unlistened_while_connecting():
    """No fault of ours: the first session's channels are dropped right after its first LISTEN."""
    original = TimedConnection.execute
    dropped = threading.Event()

    def execute(connection, query, *args, **kwargs):
        cursor = original(connection, query, *args, **kwargs)
        if isinstance(query, Composed) and not dropped.is_set():
            dropped.set()
            original(connection, "UNLISTEN *")
        return cursor

    _replace(TimedConnection, "execute", execute)


def _pause():
    if gate.is_set():  # the first connect of all goes through
        gate.clear()
        return
    print('{"event": "between"}', flush=True)  # noqa: T201 - to the test that waits for it
    gate.wait(60)


def _keep_without_lease():
    """Keep what is loaded during the pause: else it is loaded again after a second, whatever the order."""
    patch("sysconfig.cache.UNLEASED_TTL_S", 600.0).start()


def _replace(owner, name, value):
    patch.object(owner, name, value).start()


VARIANTS = {
    variant.__name__: variant
    for variant in (
        without_lease,
        without_comparison,
        without_fork_reset,
        forgetting_before_listening,
        storing_what_was_overtaken,
        pausing_between,
        unlistened_while_connecting,
    )
}
