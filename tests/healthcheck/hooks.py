"""A webhook on loopback whose answers a test sets."""

import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook:
    """Keeps what it is sent. `answers` are statuses to give, one a request; then 200.

    `hold()` makes requests wait, after they were read, until `release()`. `drip`: byte by byte.
    """

    def __init__(self):
        self.messages, self.paths, self.answers = [], [], []
        self.headers, self.drip = {}, False
        self.arrived, self.go, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.go.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Request, self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/a-secret-path"

    def hold(self):
        self.go.clear()

    def release(self):
        self.go.set()

    def close(self):
        self.closed.set()
        self.release()
        self._server.shutdown()
        self._server.server_close()


class _Request(BaseHTTPRequestHandler):
    def __init__(self, hook, *arguments):
        self.hook = hook
        super().__init__(*arguments)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.hook.messages.append(json.loads(self.rfile.read(length)))
        self.do_GET()

    def do_GET(self):
        hook = self.hook
        hook.paths.append(self.path)
        hook.arrived.set()
        hook.go.wait(60)
        if hook.drip:
            self._drip()
            return
        self.send_response(hook.answers.pop(0) if hook.answers else 200)
        for name, value in {"Content-Length": "0", **hook.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _drip(self):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200:
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return
            if self.hook.closed.wait(0.05):
                return

    def log_message(self, *_arguments):
        """Say nothing."""
