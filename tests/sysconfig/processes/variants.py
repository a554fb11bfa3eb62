"""The cache and its listener as they must not be: each lacks one thing, which one of the faults finds out."""

import math
import threading
from unittest.mock import patch

from sysconfig.cache import TTLCache
from sysconfig.push import listener
from sysconfig.push.session import Session

gate = threading.Event()
"""Lets a connect go on between its two steps."""


def without_lease():
    """What is kept is good until somebody says otherwise, and nobody asks whether he still can."""
    listener.config_cache._leased = False
    listener.config_cache.start_over()
    _replace(TTLCache, "end_lease", lambda cache: cache.invalidate())
    _replace(Session, "_beat", _beat_once)


def _beat_once(session, _notify):
    if not session._proved:
        session._sent_s = math.inf
        session._note_echo()


def without_comparison():
    """Believes that every change is announced."""
    _replace(Session, "_compare", lambda session: setattr(session, "_compare_due_s", math.inf))


def without_fork_reset():
    """A child takes over what its parent kept."""
    _replace(TTLCache, "start_over", lambda _cache: None)
    _replace(listener._ThisProcess, "__init__", lambda _this: None)


def forgetting_before_listening():
    """Forgets first and listens then: what changes in between is neither heard nor read."""
    original = Session._listen

    def listen(session):
        session._cache.invalidate_many([None], source="reconnect")
        _pause(session)
        with patch.object(session, "_cache", TTLCache()):
            original(session)

    _replace(Session, "_listen", listen)


def storing_what_was_overtaken():
    """Stores whatever a load brought, although a change was heard meanwhile."""
    original = TTLCache._land

    def land(cache, key, flight):
        with cache._lock:
            cache._flights[key] = flight
        original(cache, key, flight)

    _replace(TTLCache, "_land", land)


def pausing_between():
    """No variant, but the real order, with the same pause between its two steps."""
    hear = listener.config_cache.invalidate_many

    def paused(keys, lease_until=None, source="notify"):
        if source == "reconnect":
            _pause(None)
        hear(keys, lease_until, source)

    _replace(listener.config_cache, "invalidate_many", paused)


def _pause(_session):
    if gate.is_set():  # the first connect of all goes through
        gate.clear()
        return
    print('{"event": "between"}', flush=True)  # noqa: T201 - to the test that waits for it
    gate.wait(10)


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
    )
}
