"""Fencing: checks before an order is sent that this process still leads (docs/orders.md, O8)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


def _by_hand() -> bool:
    """A run by hand needs no lead."""
    return True


_may_act: ContextVar[Callable[[], bool]] = ContextVar("may_act", default=_by_hand)


@contextmanager
def guarded_by(may_act: Callable[[], bool]) -> Iterator[None]:
    """Make `may_post` call `may_act`, in this thread, inside the block."""
    token = _may_act.set(may_act)
    try:
        yield
    finally:
        _may_act.reset(token)


def may_post() -> bool:
    """Return whether an order may be sent now: a scheduler that has lost its lock sends none."""
    return _may_act.get()()
