"""Work done in a thread that nobody joins, for callers that must not hang with it."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")


class TookTooLong(Exception):
    """The work is not done within its limit, or an earlier piece of work is still stuck."""


class Aside:
    """Runs short pieces of work, each in its own daemon thread, and waits at most `limit_s` for each.

    While one of them is stuck no other is begun, so that stuck threads do not pile up.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._stuck: set[Future[Any]] = set()

    def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises.

        Raises:
            TookTooLong: see there.
        """
        if self._stuck:
            raise TookTooLong
        future: Future[T] = Future()
        Thread(target=_fulfil, args=(future, work), name="health-aside", daemon=True).start()
        try:
            return future.result(self._limit_s)
        except TimeoutError:
            if future.done():  # the work itself raised it
                raise
            self._stuck.add(future)
            future.add_done_callback(self._stuck.discard)
            raise TookTooLong from None


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
        connections.close_all()
        future.set_exception(error)
    else:
        connections.close_all()
        future.set_result(value)
