"""What can go wrong when we talk to a venue, named by what the caller does next.

* ClientError
  x Retryable            the same read may succeed later
    + Unreachable        no whole answer arrived: name lookup, network or TLS
      - TimedOut         no whole answer arrived in time
    + Unavailable        the venue answered 5xx
    + RateLimited        429; or 418, we are banned; or our own limits held the request back
  x Rejected             our request is wrong, and would be wrong again
    + KeyRejected        the API key: missing, invalid, or without the right
    + NotFound           the market, model or order does not exist
    + NotSent            refused here, before anything was sent
  x InvalidResponse      the answer is not what the venue documents

No text or attribute of these holds a secret or more than an excerpt of an answer.
"""


class ClientError(Exception):
    """Base class: the only exception that leaves `tradingsite.clients`."""


class Retryable(ClientError):
    """The same read may succeed later. Never repeat an order on this alone."""


class Unreachable(Retryable):
    """No whole answer arrived. Whether the venue saw the request is not known, unless `nothing_sent`.

    Attributes:
        nothing_sent: proven: the connection was never ready to take the first byte of the request.
    """

    def __init__(self, text: str, *, nothing_sent: bool = False) -> None:
        super().__init__(text)
        self.nothing_sent = nothing_sent


class TimedOut(Unreachable):
    """No whole answer arrived in time."""


class Unavailable(Retryable):
    """The venue answered 5xx."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class RateLimited(Retryable):
    """Too many requests. `banned` while the venue blocks our address or key, and nothing is sent there."""

    def __init__(self, text: str, *, retry_after_s: float, banned: bool = False) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.banned = banned


class Rejected(ClientError):
    """The venue refuses the request.

    Attributes:
        name: the venue's own error name as text; None when the body held none (an HTML page of a proxy, say).
        message: the venue's words, or an excerpt of what came instead.
        status: the HTTP status; None when nothing was sent.
    """

    def __init__(self, text: str, *, name: str | None, message: str, status: int | None) -> None:
        super().__init__(text)
        self.name = name
        self.message = message
        self.status = status


class KeyRejected(Rejected):
    """The API key is missing, invalid, or may not do this: a person must act."""


class NotFound(Rejected):
    """The market, model or order that was named does not exist (any more)."""


class NotSent(Rejected):
    """An argument breaks a rule that we know, so the venue was not asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, name=None, message=message, status=None)


class InvalidResponse(ClientError):
    """The answer is not what the venue documents: not JSON, a missing field, a redirect, too large."""
