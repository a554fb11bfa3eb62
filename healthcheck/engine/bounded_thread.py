"""Runs a call in a daemon thread and gives up waiting after a time limit."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")


class CallTimedOut(Exception):
    """The call did not return within the limit, or an earlier one is still stuck."""


class BoundedThread:
    """Runs short calls, each in its own daemon thread, and waits at most `limit_s` for each.

    While a call hangs no other one is started, so that hanging threads do not pile up.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._stuck: set[Future[Any]] = set()

    def call(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises. Raises CallTimedOut."""
        if self._stuck:
            raise CallTimedOut
        future: Future[T] = Future()
        Thread(target=_fulfil, args=(future, work), name="health-bounded", daemon=True).start()
        try:
            return future.result(self._limit_s)
        except TimeoutError:
            if future.done():  # the call itself raised it, or ended just now
                return future.result()
            self._stuck.add(future)
            future.add_done_callback(self._stuck.discard)
            raise CallTimedOut from None


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
        connections.close_all()
        future.set_exception(error)
    else:
        connections.close_all()
        future.set_result(value)
