"""A process told to end is unready first, so that a balancer looks elsewhere (docs/health.md, 24)."""

import threading
from collections.abc import Callable

_draining = threading.Event()


def begin(seconds: float, then: Callable[[], object]) -> None:
    """Be unready from now on, and call `then` after `seconds`. A second call changes nothing."""
    if _draining.is_set():
        return
    _draining.set()
    timer = threading.Timer(seconds, then)
    timer.daemon = True
    timer.start()


def is_draining() -> bool:
    """Tell whether this process has been told to end."""
    return _draining.is_set()
