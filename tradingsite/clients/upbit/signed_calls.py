"""Signed requests to Upbit's exchange API, paced by key (U11, U12)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import TypeAdapter

from tradingsite.clients import call_log
from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock, Deadline
from tradingsite.clients.errors import KeyRejected
from tradingsite.clients.http import Http
from tradingsite.clients.key_format import why_unusable
from tradingsite.clients.response import Answer, value
from tradingsite.clients.retry import read_again
from tradingsite.clients.upbit.auth import Signature
from tradingsite.clients.upbit.limits import EXCHANGE, RequestLimits, shared_limits
from tradingsite.clients.upbit.order_lists import Pairs
from tradingsite.clients.upbit.refusals import explain_exchange, requests_left

T = TypeVar("T")

_PATIENCE_S = 3600.0
"""For one read of what acts: only the call's bound ends the wait for an order's answer."""


@dataclass(eq=False)
class SignedCalls:
    """How a key's requests are sent: reads again and again, what acts once.

    Attributes:
        base_url: scheme and host, e.g. https://api.upbit.com.
        access_key: names us; shown nowhere.
        secret_key: signs; shown nowhere.
        connect_timeout_s: for each address of the name.
        read_timeout_s: for each read of the socket by a read. What acts waits for its answer to the end.
        wall_clock_s: for a whole call; only a name lookup can outlast it (see `http.Http`).
        retries: of reads, after a Retryable error.
    """

    base_url: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 3.0
    wall_clock_s: float = 8.0
    retries: int = 3
    user_agent: str = "tradingsite"
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)

    def __post_init__(self) -> None:
        self._reads = self._new_http(self.read_timeout_s, keep_alive=self.retries > 0)

    def _deadline(self, within_s: float | None) -> Deadline:
        return Deadline.of_call(self.wall_clock_s if within_s is None else within_s, self.clock)

    def _limits(self) -> RequestLimits:
        return shared_limits(self.base_url, self.clock, access_key=self.access_key, pace=EXCHANGE)

    def _new_http(self, read_timeout_s: float, *, keep_alive: bool) -> Http:
        return Http(
            self.base_url,
            timeouts_s=(self.connect_timeout_s, read_timeout_s),
            headers={"User-Agent": self.user_agent},
            keep_alive=keep_alive,
            secrets=[self.access_key, self.secret_key],
            auth=Signature(self.access_key, self.secret_key),
        )

    def _acting(self) -> Http:
        # Its own connection: one that Upbit has just closed would make an order's fate unknown.
        self._check_keys()
        return self._new_http(_PATIENCE_S, keep_alive=False)

    def _check_keys(self) -> None:
        if why_unusable(self.access_key) or why_unusable(self.secret_key):
            message = "no usable API key is set: it needs an access key and a secret key"
            raise KeyRejected(message, name=None, message=message, status=None)

    def _read(self, path: str, params: Pairs, schema: TypeAdapter[T], deadline: Deadline) -> T:
        self._check_keys()

        def attempt() -> T:
            return self._once("default", deadline, lambda: self._reads.get(path, params, deadline), schema)

        return read_again(attempt, retries=self.retries, deadline=deadline, clock=self.clock)

    def _once(self, group: str, deadline: Deadline, send: Callable[[], Answer], schema: TypeAdapter[T]) -> T:
        limits = self._limits()
        limits.enter(group, deadline)
        with call_log.ACCOUNT.recording(self.clock) as context:
            answer = send()
            context.observe(answer, datetime.now(UTC), group=group, left=requests_left(answer))
            limits.obey(group, answer)
            return value(answer, schema, explain_exchange)
