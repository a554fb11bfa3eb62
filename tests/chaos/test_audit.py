"""The audit after a chaos run finds each kind of violation."""

from decimal import Decimal

import pytest

from tests.chaos.audit import START_KRW, violations

NAME = "ts-1"


def books():
    """Return an exchange and our books that agree on one buy of 2 BTC for 100 KRW and a fee of 1."""
    order = {"identifier": NAME, "executed_volume": "2", "paid_fee": "1"}
    exchange = {
        "orders": [order],
        "posts": [{"identifier": NAME}],
        "balances": [
            {"currency": "KRW", "balance": str(START_KRW - 101), "locked": "0"},
            {"currency": "BTC", "balance": "2", "locked": "0"},
        ],
    }
    row = {
        "identifier": NAME,
        "side": "bid",
        "state": "DONE",
        "executed_volume": Decimal(2),
        "executed_funds": Decimal(100),
        "paid_fee": Decimal(1),
    }
    return exchange, [row], {"KRW-BTC": Decimal(2)}


def test_books_that_agree_have_no_violation():
    assert violations(*books()) == []


def posted_twice(exchange, rows, positions):
    exchange["posts"] *= 2


def doubled(exchange, rows, positions):
    exchange["orders"].append({**exchange["orders"][0], "identifier": "again-1"})


def lost(exchange, rows, positions):
    exchange["orders"].clear()


def open_still(exchange, rows, positions):
    rows[0]["state"] = "UNKNOWN"


def given_up(exchange, rows, positions):
    rows[0]["state"] = "LOST"


def other_fee(exchange, rows, positions):
    exchange["orders"][0]["paid_fee"] = "1.0000000000000001"


def won_missing(exchange, rows, positions):
    exchange["balances"][0]["balance"] = str(START_KRW - 102)


def coins_missing(exchange, rows, positions):
    positions["KRW-BTC"] = Decimal("1.99999999")


@pytest.mark.parametrize(
    ("harm", "line_start"),
    [
        (posted_twice, "two POSTs for one intent: ts-1"),
        (doubled, "on the exchange but not in our books: again-1"),
        (lost, "in our books but not on the exchange: ts-1 DONE"),
        (open_still, "not resolved: ts-1 UNKNOWN"),
        (given_up, "on the exchange, yet LOST: ts-1"),
        (other_fee, "ts-1: paid_fee is"),
        (won_missing, "KRW: 9999898 on the exchange, 9999899 by our books"),
        (coins_missing, "BTC: 2 on the exchange, 1.99999999 by our books"),
    ],
)
def test_each_violation_is_reported(harm, line_start):
    exchange, rows, positions = books()
    harm(exchange, rows, positions)

    assert [line for line in violations(exchange, rows, positions) if line.startswith(line_start)]
