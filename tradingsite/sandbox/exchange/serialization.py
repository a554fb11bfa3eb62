"""Formats orders, amounts and times for the account API, and parses its request bodies.

Rules: docs/sandbox-exchange.md E4, E8.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tradingsite.sandbox.exchange.orders import Order
from tradingsite.sandbox.exchange.refusals import invalid
from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.quotation.dates import KST


def order_json(order: Order) -> dict[str, object]:
    """Return the order as the API shows it: amounts as text, unset fields left out."""
    remaining_fee = order.reserved_fee - order.paid_fee if order.side == "bid" else Decimal()
    members = {
        "market": order.market,
        "uuid": order.uuid,
        "side": order.side,
        "ord_type": order.ord_type,
        "price": _text(order.price),
        "state": order.state,
        "created_at": korean_time(order.created_ms, "seconds"),
        "volume": _text(order.volume),
        "remaining_volume": _text(order.remaining_volume),
        "executed_volume": _text(order.executed_volume),
        "reserved_fee": _text(order.reserved_fee),
        "remaining_fee": _text(remaining_fee),
        "paid_fee": _text(order.paid_fee),
        "locked": _text(order.locked),
        "prevented_volume": "0",
        "prevented_locked": "0",
        "trades_count": len(order.trades),
        "time_in_force": order.time_in_force,
        "identifier": order.identifier,
        "smp_type": order.smp_type,
    }
    return {name: member for name, member in members.items() if member is not None}


def trades_json(order: Order) -> list[dict[str, object]]:
    return [
        {
            "market": order.market,
            "uuid": trade.uuid,
            "price": _text(trade.price),
            "volume": _text(trade.volume),
            "funds": _text(trade.funds),
            "trend": "up" if order.side == "bid" else "down",
            "created_at": korean_time(trade.at_ms, "microseconds"),
            "side": order.side,
        }
        for trade in order.trades
    ]


def korean_time(at_ms: int, timespec: str) -> str:
    return (
        (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms))
        .astimezone(KST)
        .isoformat(timespec=timespec)
    )


def plain(amount: Decimal) -> str:
    """Return an amount with all its digits, without exponent or trailing zeros."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def parse_body(request: Request) -> dict[str, Any]:
    """Return the body's JSON object, numbers as text exactly as written.

    Raises `Denied` for anything else.
    """
    try:
        body = json.loads(request.body, parse_float=str, parse_int=str)
    except ValueError as error:
        raise invalid("the body is not JSON") from error
    if not isinstance(body, dict):
        raise invalid("the body is not a JSON object")
    return body


def query_text(body: Mapping[str, Any]) -> str:
    """Return the body as the query string that its signature covers: fields in order, nulls left out."""
    pairs: list[tuple[str, Any]] = []
    for name, value in body.items():
        if isinstance(value, list):
            pairs += [(f"{name}[]", item) for item in value]
        elif value is not None:
            pairs.append((name, value))
    return "&".join(f"{name}={_member(value)}" for name, value in pairs)


def _member(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
