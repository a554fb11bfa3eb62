"""The three endpoints that list orders, and their parameters (docs/sandbox-exchange.md E18, E19)."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from tradingsite.sandbox.exchange.orders import Order
from tradingsite.sandbox.exchange.refusals import invalid
from tradingsite.sandbox.exchange.serialization import order_json, plain
from tradingsite.sandbox.exchange.terms import known_market
from tradingsite.sandbox.http.messages import Request

_WEEK_MS = 7 * 24 * 3600 * 1000
_MAX_NAMES = 100
_MAX_OPEN, _MAX_CLOSED = 100, 1000
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")

OrderList = list[dict[str, object]]


def open_orders(request: Request, orders: Iterable[Order]) -> OrderList:
    states = _states(request, allowed=("wait", "watch"), default=("wait",))
    limit = _whole_number(request, "limit", 100, _MAX_OPEN)
    first = (_whole_number(request, "page", 1, 10**9) - 1) * limit
    found = [order for order in _in_market(request, orders) if order.state in states]
    return _orders_json(_sorted(request, found)[first : first + limit])


def closed_orders(request: Request, orders: Iterable[Order]) -> OrderList:
    """Return the closed orders created within a window of at most seven days."""
    states = _states(request, allowed=("done", "cancel"), default=("done", "cancel"))
    limit = _whole_number(request, "limit", 100, _MAX_CLOSED)
    first_s, last_s = _window_s(request)
    found = [
        order
        for order in _in_market(request, orders)
        if order.state in states and first_s <= order.created_ms // 1000 <= last_s
    ]
    return _orders_json(_sorted(request, found)[:limit])


def named_orders(request: Request, orders: Iterable[Order]) -> OrderList:
    uuids, identifiers = _values(request, "uuids[]"), _values(request, "identifiers[]")
    if bool(uuids) is bool(identifiers):
        raise invalid("either uuids or identifiers must be given")
    names = set(uuids or identifiers)
    if len(uuids or identifiers) > _MAX_NAMES:
        raise invalid(f"at most {_MAX_NAMES} orders may be named")
    found = [
        order for order in _in_market(request, orders) if (order.uuid if uuids else order.identifier) in names
    ]
    return _orders_json(_sorted(request, found))


def _orders_json(orders: Iterable[Order]) -> OrderList:
    return [{**order_json(order), "executed_funds": plain(order.executed_funds)} for order in orders]


def _in_market(request: Request, orders: Iterable[Order]) -> Iterable[Order]:
    if not request.params.get("market"):
        return orders
    code = known_market(request.params).code
    return (order for order in orders if order.market == code)


def _sorted(request: Request, orders: Sequence[Order]) -> Sequence[Order]:
    """Return the orders newest first, or oldest first for order_by=asc. The input is oldest first."""
    order_by = request.params.get("order_by") or "desc"
    if order_by not in {"asc", "desc"}:
        raise invalid("order_by does not have a valid value")
    return orders if order_by == "asc" else orders[::-1]


def _states(request: Request, *, allowed: Sequence[str], default: Sequence[str]) -> Sequence[str]:
    single, multiple = _values(request, "state"), _values(request, "states[]")
    if single and multiple:
        raise invalid("either state or states must be given")
    requested = single or multiple or default
    if not set(requested) <= set(allowed):
        raise invalid("state does not have a valid value")
    return requested


def _window_s(request: Request) -> tuple[int, int]:
    """Return the first and last second, both inclusive, because `created_at` has no fractions."""
    start_ms, end_ms = _moment_ms(request, "start_time"), _moment_ms(request, "end_time")
    if start_ms is None:
        end_ms = request.at_ms if end_ms is None else end_ms
        start_ms = end_ms - _WEEK_MS
    elif end_ms is None:
        end_ms = start_ms + _WEEK_MS
    if not 0 <= end_ms - start_ms <= _WEEK_MS:
        raise invalid("the range between start_time and end_time must not exceed 7 days")
    return start_ms // 1000, end_ms // 1000


def _moment_ms(request: Request, name: str) -> int | None:
    text = request.params.get(name)
    if not text:
        return None
    if re.fullmatch(r"\d{1,15}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:  # a thirteenth month
        moment = None
    if moment is None:
        raise invalid(f"{name} does not have a valid value")
    return int((moment - datetime.fromtimestamp(0, UTC)).total_seconds() * 1000)


def _whole_number(request: Request, name: str, default: int, maximum: int) -> int:
    text = request.params.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= maximum:
        raise invalid(f"{name} does not have a valid value")
    return int(text)


def _values(request: Request, name: str) -> list[str]:
    return [value for key, value in parse_qsl(request.query) if key == name]
