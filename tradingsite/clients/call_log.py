"""Records how the last calls of this process to Upbit ended, for the health probes.

The trader calls Upbit anyway, so a probe can judge Upbit by these calls instead of sending its own. Calls
inside `probing()` are left out: a probe must not count its own requests.

Rules: docs/upbit-client.md U19.
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

MAX_CALLS = 20
_KINDS = {418: "banned", 429: "limited"}
_ERRORS: tuple[tuple[type[ClientError], str], ...] = (
    # The first that matches, so subclasses come before their base.
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
    """Do not record the calls made in this block."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


@dataclass
class Call:
    """One finished call. Times are of the caller's monotonic clock.

    Attributes:
        kind: kind of failure; "" for success.
        skew_s: our clock minus the venue's, from the `Date` header; None without one.
    """

    ended_s: float
    kind: str = ""
    latency_ms: float = 0.0
    skew_s: float | None = None


@dataclass(frozen=True)
class Summary:
    """Statistics of the last calls. Ages are in seconds, None for never; `version` grows with every call.

    Attributes:
        budget: requests left in the current second by endpoint group, as last reported in `Remaining-Req`.
        limited_for_s: seconds until the rate limit or ban ends; 0 when there is none.
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
    """The last `MAX_CALLS` calls to one API. Thread-safe."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    _version: int = 0
    _budget: dict[str, int] = field(default_factory=dict)
    _success_s: float | None = None
    _failure: Call | None = None
    _limited_until_s: float = float("-inf")
    _banned: bool = False

    @contextmanager
    def recording(self, clock: Clock) -> Iterator["CallContext"]:
        """Record the one call made in this block: a failure if a ClientError leaves the block."""
        begun_s = clock.monotonic()
        context, call = CallContext(), None
        try:
            yield context
        except ClientError as error:
            call = Call(clock.monotonic(), kind=error_kind(error))
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
    """Collects what the response headers of one call say."""

    def __init__(self) -> None:
        self.kind = ""
        self.skew_s: float | None = None
        self.budget: dict[str, int] = {}

    def observe(self, answer: Answer, now: datetime, *, group: str = "", left: int | None = None) -> Answer:
        """Read the status, the `Date` header and the group's remaining requests.

        Return `answer` unchanged.
        """
        self.kind = _KINDS.get(answer.status, "failing" if answer.status >= 500 else "")
        self.skew_s = _skew_s(answer.headers.get("Date", ""), now)
        if left is not None:
            self.budget = {group: left}
        return answer


def error_kind(error: ClientError) -> str:
    """Return the kind of failure in one word; "" if the venue works and only refused this request."""
    if isinstance(error, RateLimited) and error.banned:
        return "banned"
    return next((kind for kinds, kind in _ERRORS if isinstance(error, kinds)), "unreachable")


def _skew_s(date: str, now: datetime) -> float | None:
    try:
        # `Date` is cut to whole seconds, so on average the venue's clock is half a second ahead of it.
        return (now - parsedate_to_datetime(date) - timedelta(seconds=0.5)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None


UPBIT, ACCOUNT = CallLog(), CallLog()
"""Two logs because the two APIs fail separately: the public one needs no key and has its own rate limit."""
