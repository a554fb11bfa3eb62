"""Reading many orders: what one request may name, and how a long answer is cut into several (U13)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from tradingsite.clients.errors import NotSent
from tradingsite.clients.upbit.order_request import identifier_text
from tradingsite.korean_day import KST

MOST_NAMED = 100
"""Orders that one request may name."""

MOST_OPEN = 100
"""Open orders on one page."""

MOST_CLOSED = 1000
"""Closed orders in one answer, which has no pages."""

_SECOND = timedelta(seconds=1)

LONGEST_WINDOW = timedelta(days=7) - _SECOND
"""What one request for closed orders may span: Upbit's seven days, less the second of rounding outwards."""

Pairs = list[tuple[str, str]]


def named_orders(uuids: Sequence[str], identifiers: Sequence[str]) -> Iterator[Pairs]:
    """Yield the parameters of each request that is needed. Raises NotSent for both kinds of name at once."""
    if uuids and identifiers:
        raise NotSent("orders: must be named by uuids or by identifiers, not by both")
    name = "uuids[]" if uuids else "identifiers[]"
    wanted = iter(dict.fromkeys(map(identifier_text, uuids or identifiers)))
    while some := list(islice(wanted, MOST_NAMED)):
        yield [(name, each) for each in some]


def order_name(uuid: str | None, identifier: str | None) -> tuple[str, str]:
    """Return the parameter that names one order. Raises NotSent unless exactly one name is given."""
    if (uuid is None) == (identifier is None):
        raise NotSent("an order: must be named by its uuid or by its identifier")
    return (
        ("uuid", identifier_text(uuid))
        if uuid is not None
        else ("identifier", identifier_text(str(identifier)))
    )


def state_pairs(states: Iterable[str]) -> Pairs:
    return [("states[]", state) for state in states]


def windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield spans that one request may cover, oldest first. Raises NotSent if there is no such span."""
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise NotSent(
            f"closed orders from {start.isoformat()} to {end.isoformat()}: must be a span with time zones"
        )
    while start < end:
        until = min(start + LONGEST_WINDOW, end)
        yield start, until
        start = until


def span_pairs(start: datetime, end: datetime) -> Pairs:
    """Return the parameters of a span in whole seconds, outwards: orders carry no finer time."""
    up = end.replace(microsecond=0) + (_SECOND if end.microsecond else timedelta())
    times = (("start_time", start.replace(microsecond=0)), ("end_time", up))
    return [(name, moment.astimezone(KST).isoformat()) for name, moment in times]
