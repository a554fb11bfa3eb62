"""How a scheduler is told to end, and how it ends (docs/scheduler.md R20)."""

import logging
import os
import select
import signal
import socket
import sys
import threading
from typing import NoReturn, Protocol

_LAST_WORDS_S = 3

winding_down = threading.Event()
"""Set once no new run begins; a body with much to do looks at it between its steps."""


class Stop(Protocol):
    """What the supervisor waits on. `threading.Event` is one."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> bool: ...


class StopOnSignal:
    """Set by SIGTERM and SIGINT.

    Not a `threading.Event`: its `set()` takes a lock that the interrupted main thread may just hold in
    `wait()`, and then it waits for itself. Here the handler only notes the signal and sets the alarm; what
    ends `wait` is the byte that the interpreter writes for every signal.
    """

    def __init__(self, kill_after_s: int) -> None:
        """Install the handlers; only the main thread can.

        Args:
            kill_after_s: the kernel ends a process that has not ended itself so long after the signal.
        """
        self._set = False
        self._kill_after_s = kill_after_s
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def is_set(self) -> bool:
        """Return whether a signal came."""
        return self._set

    def wait(self, timeout: float) -> bool:
        """Wait for a signal, `timeout` seconds at most."""
        select.select([self._reader], [], [], timeout)
        return self._set

    def _note(self, _number: int, _frame: object) -> None:
        if not self._set:
            self._set = True
            signal.alarm(self._kill_after_s)


def end_process(code: int) -> NoReturn:
    """Flush and leave at once: a normal exit would wait for the jobs' threads, and one of them may hang."""
    signal.alarm(_LAST_WORDS_S)  # the log's lock may be held by a thread that is stuck
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
