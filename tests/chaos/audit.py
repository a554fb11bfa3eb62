"""Compares the exchange's orders with ours after a chaos run: they must match one to one, in every digit."""

from collections import Counter
from decimal import Decimal
from typing import Any

from tests.chaos.trader import MARKETS

START_KRW = Decimal(10_000_000)
NEVER_THERE = {"DENIED", "REJECTED", "LOST", "PLANNED"}
OPEN = {"PLANNED", "SUBMITTING", "OPEN", "PARTIAL", "UNKNOWN"}


def violations(
    exchange: dict[str, Any], rows: list[dict[str, Any]], positions: dict[str, Decimal]
) -> list[str]:
    """Return a line for each violation.

    Args:
        exchange: the sandbox's own record: `orders`, `balances`, `posts`.
        rows: our orders.
        positions: our position of each market, by our own fills.
    """
    theirs = {order["identifier"]: order for order in exchange["orders"]}
    ours = {row["identifier"]: row for row in rows}
    return [
        *(f"two POSTs for one intent: {name}" for name in _posted_twice(exchange)),
        *(f"on the exchange but not in our books: {name}" for name in theirs.keys() - ours.keys()),
        *(
            f"in our books but not on the exchange: {name} {ours[name]['state']}"
            for name in _lost(theirs, ours)
        ),
        *(f"not resolved: {row['identifier']} {row['state']}" for row in rows if row["state"] in OPEN),
        *(f"on the exchange, yet {ours[name]['state']}: {name}" for name in _denied(theirs, ours)),
        *_different(theirs, ours),
        *_balances(exchange, rows, positions),
    ]


def _posted_twice(exchange):
    return [
        name for name, posts in Counter(post["identifier"] for post in exchange["posts"]).items() if posts > 1
    ]


def _lost(theirs, ours):
    return [name for name, row in ours.items() if name not in theirs and row["state"] not in NEVER_THERE]


def _denied(theirs, ours):
    return [name for name in theirs if name in ours and ours[name]["state"] in NEVER_THERE]


def _different(theirs, ours):
    for name in theirs.keys() & ours.keys():
        for field in ("executed_volume", "paid_fee"):
            theirs_now, known = Decimal(theirs[name][field]), ours[name][field]
            if theirs_now != known:
                yield f"{name}: {field} is {theirs_now} on the exchange, {known} in our books"


def _balances(exchange, rows, positions):
    totals = {
        balance["currency"]: Decimal(balance["balance"]) + Decimal(balance["locked"])
        for balance in exchange["balances"]
    }
    krw = START_KRW
    for row in rows:
        funds = row["executed_funds"] if row["side"] == "ask" else -row["executed_funds"]
        krw += funds - row["paid_fee"]
    if totals["KRW"] != krw:
        yield f"KRW: {totals['KRW']} on the exchange, {krw} by our books"
    for market in MARKETS:
        coin = market.removeprefix("KRW-")
        if totals.get(coin, Decimal(0)) != positions.get(market, Decimal(0)):
            yield f"{coin}: {totals.get(coin, 0)} on the exchange, {positions.get(market, 0)} by our books"
