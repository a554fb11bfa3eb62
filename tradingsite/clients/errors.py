"""Errors of the exchange and model clients, one class for each reaction of the caller.

* ClientError
  x Retryable            the same read may succeed later
    + Unreachable        no complete answer: name lookup, network or TLS failed
      - TimedOut         no complete answer in time
    + Unavailable        the venue answered 5xx
    + RateLimited        429; or 418, a ban; or our own pacing held the request back
  x Rejected             the request is wrong, and would be wrong again
    + KeyRejected        the API key is missing, invalid, or lacks the permission
    + NotFound           the market, model or order does not exist
    + NotSent            we refused it ourselves before sending anything
  x InvalidResponse      the answer is not what the venue documents

No text or attribute of these contains a secret or more than an excerpt of an answer.

Rules: docs/upbit-client.md U5.
"""


class ClientError(Exception):
    """Base class, and the only exception that `tradingsite.clients` raises."""


class Retryable(ClientError):
    """The same read may succeed later. Never send an order again because of it."""


class Unreachable(Retryable):
    """No complete answer arrived. Unless `nothing_sent`, the venue may have seen the request.

    Attributes:
        nothing_sent: True if the connection failed before the first byte of the request was sent.
    """

    def __init__(self, text: str, *, nothing_sent: bool = False) -> None:
        super().__init__(text)
        self.nothing_sent = nothing_sent


class TimedOut(Unreachable):
    """No complete answer arrived in time."""


class Unavailable(Retryable):
    """The venue answered 5xx."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class RateLimited(Retryable):
    """Too many requests. While `banned` the venue blocks our address or key, and we send nothing."""

    def __init__(self, text: str, *, retry_after_s: float, banned: bool = False) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.banned = banned


class Rejected(ClientError):
    """The venue refuses the request.

    Attributes:
        name: the venue's error name; None if the body had none (a proxy's HTML page, for example).
        message: the venue's error message, or an excerpt of the body.
        status: the HTTP status; None if nothing was sent.
    """

    def __init__(self, text: str, *, name: str | None, message: str, status: int | None) -> None:
        super().__init__(text)
        self.name = name
        self.message = message
        self.status = status


class KeyRejected(Rejected):
    """The API key is missing, invalid, or lacks the permission. Only a person can fix that."""


class NotFound(Rejected):
    """The market, model or order does not exist, or no longer."""


class NotSent(Rejected):
    """An argument breaks a documented rule of the venue, so we sent nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, name=None, message=message, status=None)


class InvalidResponse(ClientError):
    """The answer is not what the venue documents: not JSON, a field missing, a redirect, too large."""
