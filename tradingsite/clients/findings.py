"""Turns a client's error into the result of a health probe."""

from collections.abc import Callable
from dataclasses import dataclass

from healthcheck.report import Finding
from tradingsite.clients.errors import ClientError, RateLimited, Rejected, TimedOut, Unavailable, Unreachable


@dataclass(frozen=True, slots=True)
class FailureTexts:
    """A probe's messages for the failures of one host, as message ids marked by `gettext_noop`.

    Attributes:
        timed_out: has the parameter `limit`, in seconds.
        unavailable: has the parameter `status`, the HTTP status.
    """

    timed_out: str
    unreachable: str
    unavailable: str
    invalid: str


def failure_finding(
    error: ClientError,
    texts: FailureTexts,
    *,
    within_s: float,
    limited: Callable[[RateLimited], Finding],
    rejected: Callable[[Rejected], Finding],
) -> Finding:
    """Return the finding for `error`. `within_s` was the time limit of the call, for the message."""
    match error:
        case TimedOut():
            return Finding.timeout(texts.timed_out, limit=within_s)
        case Unreachable():
            return Finding("unhealthy", texts.unreachable)
        case Unavailable():
            return Finding("unhealthy", texts.unavailable, status=error.status)
        case RateLimited():
            return limited(error)
        case Rejected():
            return rejected(error)
        case _:
            return Finding("unhealthy", texts.invalid)
