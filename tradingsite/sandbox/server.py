"""Starts and stops the sandbox, for `manage.py sandbox` and for tests."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from tradingsite.sandbox.app import application
from tradingsite.sandbox.control_api import ControlApi, RequestLogLine
from tradingsite.sandbox.exchange.exchange import Exchange
from tradingsite.sandbox.exchange.journal import StateFileError
from tradingsite.sandbox.exchange.relay_venue import RelayVenue
from tradingsite.sandbox.exchange.venue import PathVenue, Venue
from tradingsite.sandbox.faults.arming import Faults
from tradingsite.sandbox.gemini.generator import Generator
from tradingsite.sandbox.gemini.model_api import Gemini
from tradingsite.sandbox.http.messages import Request, Response
from tradingsite.sandbox.http.server import HOST, HttpServer
from tradingsite.sandbox.options import DEFAULT_SEED, GEMINI_KEY, Options
from tradingsite.sandbox.quotation.prices import Prices
from tradingsite.sandbox.quotation.relay import Relay

_MAX_REQUESTS = 1000


class SandboxServer:
    """A sandbox on its own port; as a context manager it answers inside the block.

    Prices and rate limits follow `clock`, seconds since 1970. Port 0 picks a free one. `requests` holds the
    last 1,000 requests, newest last. With a `state_file` orders and balances survive a restart. `faults` and
    `model` control faults and decisions (docs/sandbox-faults.md).

    Raises:
        OSError: the port is in use.
        ValueError: the relay URL is invalid.
        StateFileError: the state file is damaged, or another sandbox uses it.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = DEFAULT_SEED,
        clock: Callable[[], float] = time.time,
        options: Options | None = None,
        state_file: Path | None = None,
    ) -> None:
        self.requests: deque[RequestLogLine] = deque(maxlen=_MAX_REQUESTS)
        options = options or Options()
        relay = Relay(options.relay_url) if options.relay_url else None
        market_data = relay or Prices(seed)
        now_ms = lambda: int(clock() * 1000)  # noqa: E731 - one clock for all parts
        self._http = HttpServer(port, self._answer, now_ms=now_ms)
        try:
            self.exchange = Exchange(
                _venue(market_data), now_ms, fill_after_ms=options.fill_after_ms, state_file=state_file
            )
        except StateFileError:
            self._http.server_close()
            raise
        self.faults = Faults(self.exchange)
        self.model = Generator(Gemini(GEMINI_KEY))
        control = ControlApi(self.faults, self.model, self.exchange, self.requests)
        self._router = application(market_data, self.exchange, self.model, control, options)
        self._thread = Thread(target=self._http.serve_forever, args=(0.01,), name="sandbox", daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def serve(self) -> None:
        self._http.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """Make `serve` return soon. Does not wait, because a signal handler runs in the serving thread."""
        Thread(target=self._http.shutdown, daemon=True).start()

    def close(self) -> None:
        """Free the port, close every connection and release the state file."""
        self._http.server_close()
        self._http.close_connections()
        self.exchange.close()

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
        response, fault = self.faults.answer(request, self._router.answer)
        status = None if response.delivery.reset else response.status
        self.requests.append(RequestLogLine(request, status, fault))
        return response


def _venue(market_data: Prices | Relay) -> Venue:
    return RelayVenue(market_data) if isinstance(market_data, Relay) else PathVenue(market_data)
