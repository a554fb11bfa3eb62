"""Stops a scheduler process: the signal handlers, and an exit that cannot hang (docs/scheduler.md, R20)."""

import logging
import os
import select
import signal
import socket
import sys
import threading
from typing import NoReturn, Protocol

_FLUSH_S = 3

winding_down = threading.Event()
"""Set when no new run starts any more; long jobs check it between their steps."""


class Stop(Protocol):
    """What the supervisor waits for. `threading.Event` is one."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> bool: ...


class StopOnSignal:
    """Set by SIGTERM and SIGINT.

    It is not a `threading.Event`: `set()` takes a lock that the interrupted main thread may hold in `wait()`,
    and would wait for itself. Here the handler only sets a flag and the alarm; `wait` is woken by the byte
    that the interpreter writes for every signal.
    """

    def __init__(self, kill_after_s: int) -> None:
        """Install the handlers; only possible in the main thread.

        Args:
            kill_after_s: this long after the signal the kernel ends the process, if it has not ended.
        """
        self._set = False
        self._kill_after_s = kill_after_s
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def is_set(self) -> bool:
        """Return whether a signal has come."""
        return self._set

    def wait(self, timeout: float) -> bool:
        """Wait for a signal, at most `timeout` seconds."""
        select.select([self._reader], [], [], timeout)
        return self._set

    def _note(self, _number: int, _frame: object) -> None:
        if not self._set:
            self._set = True
            signal.alarm(self._kill_after_s)


def end_process(code: int) -> NoReturn:
    """Flush logs and exit at once: a normal exit would wait for job threads, and one may hang."""
    signal.alarm(_FLUSH_S)  # a hanging thread may hold the lock of the log
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
