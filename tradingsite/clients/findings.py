"""A client's error as the finding of a health probe."""

from collections.abc import Callable
from dataclasses import dataclass

from healthcheck.report import Finding
from tradingsite.clients.errors import ClientError, RateLimited, Rejected, TimedOut, Unavailable, Unreachable


@dataclass(frozen=True, slots=True)
class FailureTexts:
    """The messages of a probe for one host's failures, as message ids marked by `gettext_noop`.

    Attributes:
        timed_out: has the parameter `limit`, in seconds.
        unavailable: has the parameter `status` of HTTP.
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
    """Return what `error` says about the health of its host; `within_s` was the bound of the call."""
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
