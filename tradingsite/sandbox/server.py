"""The sandbox as a server that starts, answers and stops."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from threading import Thread
from types import TracebackType
from typing import Self

from tradingsite.sandbox.app import application
from tradingsite.sandbox.http_server import HOST, HttpServer
from tradingsite.sandbox.options import DEFAULT_SEED, Options
from tradingsite.sandbox.wire import Request, Response

_REQUESTS_KEPT = 1000


@dataclass(frozen=True)
class Answered:
    """One line of the request log."""

    request: Request
    status: HTTPStatus


class SandboxServer:
    """A sandbox, bound to its port at once: `with SandboxServer() as server: …` answers inside the block.

    Prices and rate limits follow `clock`, which gives seconds since 1970. Port 0 takes a free one. The last
    1,000 requests are kept in `requests`, newest last.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = DEFAULT_SEED,
        clock: Callable[[], float] = time.time,
        options: Options | None = None,
    ) -> None:
        self.requests: deque[Answered] = deque(maxlen=_REQUESTS_KEPT)
        self._router = application(seed, options or Options())
        self._http = HttpServer(port, self._answer, now_ms=lambda: int(clock() * 1000))
        self._thread = Thread(target=self.serve, name="sandbox", daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def serve(self) -> None:
        """Answer until `stop` is called."""
        self._http.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """Make `serve` return soon. Does not wait: a signal handler runs in the thread that serves."""
        Thread(target=self._http.shutdown, daemon=True).start()

    def close(self) -> None:
        """Give the port back and hang up on every client."""
        self._http.server_close()
        self._http.hang_up()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join()
        self.close()

    def _answer(self, request: Request) -> Response:
        response = self._router.answer(request)
        self.requests.append(Answered(request, response.status))
        return response
