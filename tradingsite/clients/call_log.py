"""What became of this process's last calls to a venue: evidence for its health that costs nothing (U19).

Every call of the trader is recorded where its answer becomes a value or an error. Calls made by a probe, only
to learn whether the venue answers, are left out.
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

from tradingsite.clients.deadline import Clock
from tradingsite.clients.errors import (
    ClientError,
    InvalidResponse,
    KeyRejected,
    RateLimited,
    Rejected,
    TimedOut,
    Unavailable,
)
from tradingsite.clients.response import Answer

KEPT = 20
_KINDS = {418: "banned", 429: "limited"}
_ERRORS: tuple[tuple[type[ClientError], str], ...] = (
    # The first that fits.
    (TimedOut, "timeout"),
    (Unavailable, "failing"),
    (RateLimited, "limited"),
    (KeyRejected, "key"),
    (Rejected, ""),
    (InvalidResponse, "invalid"),
)

_probing: ContextVar[bool] = ContextVar("probing", default=False)


@contextmanager
def probing() -> Iterator[None]:
    """Leave the calls of the block out of the evidence."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


@dataclass
class Call:
    """One call. Times are of the caller's monotonic clock.

    Attributes:
        kind: of the failure; "" when the venue answered as it should.
        skew_s: the host's clock less the venue's, from the answer's `Date`; None without one.
    """

    ended_s: float
    kind: str = ""
    latency_ms: float = 0.0
    skew_s: float | None = None


@dataclass(frozen=True)
class Summary:
    """The last calls in short. Spans are seconds ago, None for never; `version` grows with every call.

    Attributes:
        budget: requests left in their second, by group, as the last answers said.
        limited_for_s: how much longer the venue limits or bans us.
    """

    version: int
    answered: int
    failed: int
    success_s_ago: float | None
    failure_s_ago: float | None
    failure_kind: str
    p50_ms: float | None
    skew_s: float | None
    budget: Mapping[str, int]
    limited_for_s: float
    banned: bool


@dataclass
class CallLog:
    """The last `KEPT` calls to one venue. Safe for threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=KEPT))
    _version: int = 0
    _budget: dict[str, int] = field(default_factory=dict)
    _success_s: float | None = None
    _failure: Call | None = None
    _limited_until_s: float = float("-inf")
    _banned: bool = False

    @contextmanager
    def recording(self, clock: Clock) -> Iterator["CallContext"]:
        """Record the call that the block makes, by how the block ends."""
        begun_s = clock.monotonic()
        context, call = CallContext(), None
        try:
            yield context
        except ClientError as error:
            call = Call(clock.monotonic(), kind=kind_of(error))
            self._limit(error, call.ended_s)
            raise
        else:
            call = Call(clock.monotonic(), kind=context.kind)
        finally:
            if call is not None and not _probing.get():
                call.latency_ms = (call.ended_s - begun_s) * 1000
                call.skew_s = context.skew_s
                self._keep(call, context.budget)

    def summary(self, clock: Clock) -> Summary:
        with self._lock:
            now_s = clock.monotonic()
            calls = list(self._calls)
            well = [call for call in calls if not call.kind]
            skews_s = [call.skew_s for call in calls if call.skew_s is not None]
            return Summary(
                version=self._version,
                answered=len(well),
                failed=len(calls) - len(well),
                success_s_ago=None if self._success_s is None else now_s - self._success_s,
                failure_s_ago=now_s - self._failure.ended_s if self._failure else None,
                failure_kind=self._failure.kind if self._failure else "",
                p50_ms=median(call.latency_ms for call in well) if well else None,
                skew_s=median(skews_s) if skews_s else None,
                budget=dict(self._budget),
                limited_for_s=max(0.0, self._limited_until_s - now_s),
                banned=self._banned,
            )

    def _limit(self, error: ClientError, now_s: float) -> None:
        if isinstance(error, RateLimited):
            with self._lock:
                self._limited_until_s, self._banned = now_s + error.retry_after_s, error.banned
                self._version += 1

    def _keep(self, call: Call, budget: Mapping[str, int]) -> None:
        with self._lock:
            self._calls.append(call)
            self._version += 1
            self._budget |= budget
            if call.kind:
                self._failure = call
            else:
                self._success_s = call.ended_s


class CallContext:
    """What an answer's headers say."""

    def __init__(self) -> None:
        self.kind = ""
        self.skew_s: float | None = None
        self.budget: dict[str, int] = {}

    def observe(self, answer: Answer, now: datetime, *, group: str = "", left: int | None = None) -> Answer:
        """Take in an answer's `Date`, and what is left of its group's budget; return it."""
        self.kind = _KINDS.get(answer.status, "failing" if answer.status >= 500 else "")
        self.skew_s = _skew_s(answer.headers.get("Date", ""), now)
        if left is not None:
            self.budget = {group: left}
        return answer


def kind_of(error: ClientError) -> str:
    """Return a failure's kind in one word; "" where the venue worked and only refused this request."""
    if isinstance(error, RateLimited) and error.banned:
        return "banned"
    return next((kind for kinds, kind in _ERRORS if isinstance(error, kinds)), "unreachable")


def _skew_s(date: str, now: datetime) -> float | None:
    try:
        # It has whole seconds, so the venue's clock is half a second further on average.
        return (now - parsedate_to_datetime(date) - timedelta(seconds=0.5)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None


UPBIT, ACCOUNT = CallLog(), CallLog()
"""The public quotation, and our account's interface, which has another budget and needs the key."""
