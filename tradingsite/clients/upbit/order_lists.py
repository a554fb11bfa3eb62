"""Splits reads of many orders into requests that Upbit accepts (docs/upbit-client.md U13)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from tradingsite.clients.errors import NotSent
from tradingsite.clients.upbit.order_request import identifier_text
from tradingsite.korean_day import KST

MAX_NAMED = 100  # orders that one request may name
MAX_OPEN = 100  # open orders on one page
MAX_CLOSED = 1000  # closed orders in one answer; the endpoint has no pages

_SECOND = timedelta(seconds=1)

LONGEST_WINDOW = timedelta(days=7) - _SECOND
"""Longest span of one request for closed orders.

Upbit's seven days, minus a second because spans are rounded outwards.
"""

Pairs = list[tuple[str, str]]


def named_orders(uuids: Sequence[str], identifiers: Sequence[str]) -> Iterator[Pairs]:
    """Yield the parameters of each request needed. Raises NotSent if both kinds of names are given."""
    if uuids and identifiers:
        raise NotSent("orders: must be named by uuids or by identifiers, not by both")
    name = "uuids[]" if uuids else "identifiers[]"
    wanted = iter(dict.fromkeys(map(identifier_text, uuids or identifiers)))
    while some := list(islice(wanted, MAX_NAMED)):
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
    """Yield spans short enough for one request each, oldest first.

    Raises NotSent if start is not before end.
    """
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise NotSent(
            f"closed orders from {start.isoformat()} to {end.isoformat()}: must be a span with time zones"
        )
    while start < end:
        until = min(start + LONGEST_WINDOW, end)
        yield start, until
        start = until


def span_pairs(start: datetime, end: datetime) -> Pairs:
    """Return the parameters of a span, rounded outwards to seconds, as orders' times have no fractions."""
    up = end.replace(microsecond=0) + (_SECOND if end.microsecond else timedelta())
    times = (("start_time", start.replace(microsecond=0)), ("end_time", up))
    return [(name, moment.astimezone(KST).isoformat()) for name, moment in times]
