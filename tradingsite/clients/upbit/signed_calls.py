"""Sends signed requests to Upbit's exchange API within the key's rate limit.

Rules: docs/upbit-client.md U11, U12, U17.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import TypeAdapter

from tradingsite.clients import call_log
from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock, Deadline
from tradingsite.clients.errors import KeyRejected
from tradingsite.clients.http import Http
from tradingsite.clients.key_format import key_problem
from tradingsite.clients.response import Answer, value
from tradingsite.clients.retry import retry_read
from tradingsite.clients.upbit.auth import Signature
from tradingsite.clients.upbit.limits import EXCHANGE, RequestLimits, shared_limits
from tradingsite.clients.upbit.order_lists import Pairs
from tradingsite.clients.upbit.refusals import explain_exchange, requests_left

T = TypeVar("T")

_ORDER_READ_TIMEOUT_S = 3600.0
"""Effectively no limit: giving up on an order's answer early would leave its fate unknown.

The call's deadline ends the wait.
"""


@dataclass(eq=False)
class SignedCalls:
    """Sends reads, which are retried, and orders and cancels, which are sent once.

    Attributes:
        base_url: scheme and host, e.g. https://api.upbit.com.
        access_key: identifies us; never shown.
        secret_key: signs; never shown.
        connect_timeout_s: for each address of the host name.
        read_timeout_s: for each socket read of a read request. Orders and cancels wait until `wall_clock_s`.
        wall_clock_s: for a whole call; only a name lookup can take longer (see `http.Http`).
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

    def _one_shot_http(self) -> Http:
        # A new connection: on a kept one that Upbit has just closed, an order's fate would be unknown.
        self._check_keys()
        return self._new_http(_ORDER_READ_TIMEOUT_S, keep_alive=False)

    def _check_keys(self) -> None:
        if key_problem(self.access_key) or key_problem(self.secret_key):
            message = "no usable API key is set: it needs an access key and a secret key"
            raise KeyRejected(message, name=None, message=message, status=None)

    def _read(self, path: str, params: Pairs, schema: TypeAdapter[T], deadline: Deadline) -> T:
        self._check_keys()

        def attempt() -> T:
            return self._once("default", deadline, lambda: self._reads.get(path, params, deadline), schema)

        return retry_read(attempt, retries=self.retries, deadline=deadline, clock=self.clock)

    def _once(self, group: str, deadline: Deadline, send: Callable[[], Answer], schema: TypeAdapter[T]) -> T:
        limits = self._limits()
        limits.acquire(group, deadline)
        with call_log.ACCOUNT.recording(self.clock) as context:
            answer = send()
            context.observe(answer, datetime.now(UTC), group=group, left=requests_left(answer))
            limits.check_answer(group, answer)
            return value(answer, schema, explain_exchange)
