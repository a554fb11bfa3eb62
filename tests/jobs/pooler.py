"""A proxy in front of the database that greets as a pooler does: with a made-up backend id."""

import socket
import struct
import threading
from contextlib import suppress

_KEY_DATA = b"K\x00\x00\x00\x0c"


class Pooler:
    """Listens in `folder` like PostgreSQL, and forwards one connection to the server of `parameters`."""

    def __init__(self, folder, parameters):
        self.greeted = False
        self._server = f"{parameters['host']}/.s.PGSQL.{parameters.get('port') or 5432}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / f".s.PGSQL.{parameters.get('port') or 5432}"))
        self._listener.listen()
        self._sockets = [self._listener]
        self._threads = []

    def __enter__(self):
        self._begin(self._accept)
        return self

    def __exit__(self, *_):
        for each in self._sockets:
            with suppress(OSError):  # not connected any more
                each.shutdown(socket.SHUT_RDWR)  # ends a wait in another thread; `close` alone does not
            each.close()
        for thread in self._threads:
            thread.join(60)

    def _begin(self, target, *args):
        def until_closed():
            with suppress(OSError):  # either side may hang up, and `__exit__` closes what is waited for
                target(*args)

        self._threads.append(threading.Thread(target=until_closed, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        self._sockets += [client, server]
        self._begin(self._pass_on, server, client)
        self._pass_on(client, server)

    def _pass_on(self, source, target):
        while data := source.recv(65536):
            begin = data.find(_KEY_DATA)
            if begin >= 0 and not self.greeted:
                self.greeted = True
                begin += len(_KEY_DATA)
                data = data[:begin] + struct.pack("!i", 4711) + data[begin + 4 :]
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
