"""A TCP proxy in front of a server's unix socket that can lose every byte and say nothing about it."""

import selectors
import socket
import threading
import time
from contextlib import suppress


class Proxy:
    """Passes bytes both ways. What was opened before or during `swallow` stays silent for ever."""

    def __init__(self, target):
        self._target = target
        self._swallowing, self._silent_before_s = False, 0.0
        self._passed = []  # when a connection was joined, and when a byte passed in it
        self._pairs = {}  # a socket → the other end, and when they were joined
        self._selector = selectors.DefaultSelector()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        for each in (self._listening, self._woken):
            self._selector.register(each, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait_until_quiet(self, quiet_s, since_s):
        """Wait until no byte has passed for `quiet_s` in the connections that were made after `since_s`."""
        while (left_s := self._last_passed_s(since_s) + quiet_s - time.monotonic()) > 0:
            time.sleep(left_s)

    def _last_passed_s(self, since_s):
        return max((passed_s for joined_s, passed_s in [*self._passed] if joined_s > since_s), default=0.0)

    def swallow(self):
        """From now on no byte arrives anywhere, and no connection is closed."""
        self._swallowing = True

    def heal(self):
        """Let new connections through; the old ones stay silent."""
        self._silent_before_s = time.monotonic()
        self._swallowing = False

    def close(self):
        self._wake.send(b"\0")
        self._thread.join()
        for each in {*self._pairs, self._listening, self._wake, self._woken}:
            each.close()
        self._selector.close()

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listening:
                    self._accept()
                elif key.fileobj in self._pairs:  # or it was closed with its other end, a moment ago
                    self._pass(key.fileobj)

    def _accept(self):
        near, _ = self._listening.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self._target)
        except OSError:  # the server is down
            far.close()
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self._pairs[one] = other, time.monotonic()
            self._selector.register(one, selectors.EVENT_READ)

    def _pass(self, source):
        target, joined_s = self._pairs[source]
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        silent = self._swallowing or joined_s < self._silent_before_s
        if data and not silent:
            self._passed.append((joined_s, time.monotonic()))
            with suppress(OSError):
                target.sendall(data)
        elif not data:
            self._drop(source)
            if target in self._pairs and not silent:
                self._drop(target)

    def _drop(self, source):
        self._selector.unregister(source)
        del self._pairs[source]
        source.close()
