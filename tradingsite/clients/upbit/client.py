"""Client for Upbit's public quotation API: prices, candles and order books (docs/upbit-client.md U1-U10)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import TypeAdapter

from tradingsite.clients import call_log
from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock, Deadline
from tradingsite.clients.http import Http
from tradingsite.clients.response import value
from tradingsite.clients.retry import retry_read
from tradingsite.clients.upbit import parameters
from tradingsite.clients.upbit.limits import shared_limits
from tradingsite.clients.upbit.refusals import explain, requests_left
from tradingsite.clients.upbit.schemas import Market, MinuteCandle, Orderbook, Ticker

T = TypeVar("T")

_MARKETS = TypeAdapter(list[Market])
_TICKERS = TypeAdapter(list[Ticker])
_MINUTE_CANDLES = TypeAdapter(list[MinuteCandle])
_ORDERBOOKS = TypeAdapter(list[Orderbook])


@dataclass(eq=False)
class UpbitClient:
    """Public market data. Threads may share a client; all clients of a process share one rate limit.

    Every method takes `within_s`, the time limit of that call including retries and waits, in place of the
    client's `wall_clock_s`; only a name lookup can take longer (see `http.Http`). Every method raises only
    `Retryable` (unreachable, failing, rate limit or ban), `Rejected` or `InvalidResponse` of
    `clients.errors`.

    Attributes:
        base_url: scheme and host, e.g. https://api.upbit.com.
        connect_timeout_s: for each address of the host name.
        read_timeout_s: for each read of the socket.
        wall_clock_s: for a whole call.
        retries: after a Retryable error; 0 for probes, which then also use a new connection for each call.
    """

    base_url: str
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 3.0
    wall_clock_s: float = 8.0
    retries: int = 3
    user_agent: str = "tradingsite"
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)

    def __post_init__(self) -> None:
        self._http = Http(
            self.base_url,
            timeouts_s=(self.connect_timeout_s, self.read_timeout_s),
            headers={"User-Agent": self.user_agent},
            keep_alive=self.retries > 0,
        )

    def markets(self, *, within_s: float | None = None) -> list[Market]:
        return self._read(
            "market", "/v1/market/all", {"is_details": "true"}, _MARKETS, self._deadline(within_s)
        )

    def tickers(self, markets: Iterable[str], *, within_s: float | None = None) -> list[Ticker]:
        """Return the latest price of each market, in one request unless the codes exceed 4,000 characters.

        Raises:
            NotFound: one of the markets does not exist; Upbit then answers for none of them.
        """
        return self._read_lists("ticker", "/v1/ticker", markets, _TICKERS, within_s)

    def candles(
        self,
        market: str,
        unit_min: int,
        count: int,
        to: datetime | None = None,
        *,
        within_s: float | None = None,
    ) -> list[MinuteCandle]:
        """Return up to `count` candles of `unit_min` minutes that begin before `to`, newest first.

        Periods without a trade are missing. Without `to` the first candle is still open.
        """
        path = f"/v1/candles/minutes/{parameters.minute_unit(unit_min)}"
        params = parameters.candle_parameters(market, count, to)
        return self._read("candle", path, params, _MINUTE_CANDLES, self._deadline(within_s))

    def orderbooks(self, markets: Iterable[str], *, within_s: float | None = None) -> list[Orderbook]:
        """Return the order book of each market, 30 levels deep."""
        return self._read_lists("orderbook", "/v1/orderbook", markets, _ORDERBOOKS, within_s)

    def _deadline(self, within_s: float | None) -> Deadline:
        return Deadline.of_call(self.wall_clock_s if within_s is None else within_s, self.clock)

    def _read_lists(
        self,
        group: str,
        path: str,
        markets: Iterable[str],
        schema: TypeAdapter[list[T]],
        within_s: float | None,
    ) -> list[T]:
        deadline = self._deadline(within_s)
        lists = parameters.market_lists(markets)
        return [
            found
            for params in lists
            for found in self._read(group, path, {"markets": params}, schema, deadline)
        ]

    def _read(
        self, group: str, path: str, params: Mapping[str, str], schema: TypeAdapter[T], deadline: Deadline
    ) -> T:
        limits = shared_limits(self.base_url, self.clock)

        def attempt() -> T:
            limits.acquire(group, deadline)
            with call_log.UPBIT.recording(self.clock) as context:
                answer = self._http.get(path, params, deadline)
                context.observe(answer, datetime.now(UTC), group=group, left=requests_left(answer))
                limits.check_answer(group, answer)
                return value(answer, schema, explain)

        return retry_read(attempt, retries=self.retries, deadline=deadline, clock=self.clock)
