"""An exchange on loopback whose answers the test decides."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, object]
"""Status and body: text is sent as it is, all else as JSON."""


@dataclass
class Exchange:
    """`answer(path, market codes)` decides; `paths` are the requested ones, in order."""

    answer: Callable[[str, list[str]], Answer]
    url: str = ""
    paths: list[str] = field(default_factory=list)


@contextmanager
def exchange(answer: Callable[[str, list[str]], Answer]) -> Iterator[Exchange]:
    """Serve on a free port until the block ends."""
    serving = Exchange(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 60

        def do_GET(self):
            split = urlsplit(self.path)
            serving.paths.append(split.path)
            markets = parse_qs(split.query).get("markets", [""])[0].split(",")
            status, body = serving.answer(split.path, markets)
            payload = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *args):
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002})
    thread.start()
    try:
        yield serving
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ticker(market: str, price: float, traded_at: datetime) -> dict[str, object]:
    """Return Upbit's ticker of a market, with the fields that we use."""
    moment_ms = int(traded_at.timestamp() * 1000)
    return {
        "market": market,
        "trade_price": price,
        "trade_timestamp": moment_ms,
        "timestamp": moment_ms,
    }


def listing(market: str) -> dict[str, object]:
    return {"market": market, "korean_name": market, "english_name": market}


def error(status: int, message: str = "no") -> Answer:
    """Return an error in the format of Upbit's quotation API."""
    return status, {"error": {"name": status, "message": message}}
