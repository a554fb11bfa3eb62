"""Positions: average cost over our own fills, checked against an independently written oracle."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.orders.trades import bought, sold
from tradingsite.orders.models import Order, OrderState
from tradingsite.orders.portfolio.positions import position, positions
from tradingsite.risk.inputs import Position

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 4, 15, tzinfo=UTC)
"""00:00 in Korea on NOON's day."""
HOUR = timedelta(hours=1)


def holding(market="KRW-BTC", at=NOON):
    return next(each for each in positions(at) if each.market == market)


def test_no_fill_makes_no_position():
    assert positions(NOON) == []
    assert position("KRW-BTC") == Position("KRW-BTC", Decimal(0), Decimal(0))


def test_fees_are_part_of_the_cost():
    bought("KRW-BTC", (100, 2), fee=1, at=NOON)
    bought("KRW-BTC", (130, 1), fee="0.5", at=NOON + HOUR)

    assert position("KRW-BTC") == Position("KRW-BTC", Decimal(3), Decimal("331.5"))
    assert holding().average_price == Decimal("110.5")
    assert holding().unrealised(Decimal(110)) == Decimal("-1.5")


def test_sell_takes_its_share_of_the_cost_and_keeps_the_average():
    bought("KRW-BTC", (100, 3), fee=3, at=NOON)
    sold("KRW-BTC", (120, 1), fee=2, at=NOON + HOUR)

    assert position("KRW-BTC") == Position("KRW-BTC", Decimal(2), Decimal(202))
    assert holding().realised == Decimal(120 - 2 - 101)


def test_average_price_restarts_after_selling_everything():
    bought("KRW-BTC", (100, 3), fee=1, at=NOON)
    sold("KRW-BTC", (90, 3), fee=1, at=NOON + HOUR)
    assert holding().average_price is None
    assert holding().cost == 0

    bought("KRW-BTC", (50, 1), at=NOON + 2 * HOUR)

    assert holding().average_price == 50
    assert holding().realised == -32


def test_positions_are_separate_by_market_and_sorted():
    bought("KRW-XRP", (700, 10), at=NOON)
    bought("KRW-BTC", (100, 1), at=NOON)

    found = [(each.market, int(each.cost)) for each in positions(NOON)]
    assert found == [("KRW-BTC", 100), ("KRW-XRP", 7000)]


def test_result_of_today_starts_at_korean_midnight_even_within_an_order():
    bought("KRW-BTC", (100, 3), at=MIDNIGHT - HOUR)
    sold("KRW-BTC", (110, 1), (120, 1), fee=23, at=MIDNIGHT - HOUR / 2, apart=HOUR / 2)
    sold("KRW-BTC", (130, 1), at=MIDNIGHT + HOUR)

    assert holding().realised == 10 + 20 + 30 - 23
    assert holding().realised_today == 20 - 12 + 30
    assert holding(at=NOON + timedelta(days=1)).realised_today == 0


def test_orders_without_fills_do_not_count():
    for number, state in enumerate(
        [OrderState.UNKNOWN, OrderState.LOST, OrderState.DENIED, OrderState.SUBMITTING]
    ):
        bought("KRW-BTC", at=NOON, identifier=f"none-{number}", state=state)
        assert Order.objects.get(identifier=f"none-{number}").state == state

    assert position("KRW-BTC").volume == 0


def test_partial_fill_counts():
    bought("KRW-BTC", (100, 1), fee="0.05", at=NOON, state=OrderState.PARTIAL)

    assert position("KRW-BTC").cost == Decimal("100.05")


def test_fills_are_ordered_by_trade_time():
    sold("KRW-BTC", (120, 1), at=NOON + HOUR)
    bought("KRW-BTC", (100, 2), at=NOON)

    assert position("KRW-BTC") == Position("KRW-BTC", Decimal(1), Decimal(100))
    assert holding().realised == 20


def test_oversold_coins_bring_no_result():
    bought("KRW-BTC", (100, 1), at=NOON)
    sold("KRW-BTC", (120, 4), fee=8, at=NOON + HOUR)

    assert holding().oversold == 3
    assert holding().realised == 120 - 2 - 100
    assert position("KRW-BTC") == Position("KRW-BTC", Decimal(0), Decimal(0))

    sold("KRW-BTC", (120, 1), at=NOON + 2 * HOUR)
    bought("KRW-BTC", (90, 1), at=NOON + 3 * HOUR)

    assert (holding().volume, holding().cost, holding().oversold) == (1, 90, 4)


@pytest.mark.parametrize("seed", range(5))
def test_random_fills_agree_with_exact_fractions(seed):
    oracle = Oracle(seed)
    oracle.trade(orders=50)

    for each in positions(NOON):
        truth = oracle.books[each.market]
        assert each.volume == truth["volume"]
        assert close(each.cost, truth["cost"])
        assert close(each.realised, truth["realised"])
        assert close(each.realised_today, truth["today"])
        # Nothing is lost in roundings: all that went out and came in is a cost or a result.
        assert Fraction(each.realised) - Fraction(each.cost) == truth["flow"]
        assert each.volume or each.cost == 0
    assert len(positions(NOON)) == len(oracle.books) == 3


def close(ours: Decimal, truth: Fraction) -> bool:
    return abs(Fraction(ours) - truth) < Fraction(1, 10**12)


class Oracle:
    """Trades at random and keeps exact books by fractions, order by order."""

    def __init__(self, seed):
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.books: dict[str, dict[str, Fraction]] = defaultdict(
            lambda: dict.fromkeys(("volume", "cost", "realised", "today", "flow"), Fraction())
        )

    def trade(self, orders):
        at = MIDNIGHT - timedelta(minutes=orders // 2)
        for number in range(orders):
            market = self.random.choice(["KRW-BTC", "KRW-XRP", "KRW-SHIB"])
            self.order(number, market, at + timedelta(minutes=number))

    def order(self, number, market, at):
        book = self.books[market]
        sell = book["volume"] > 0 and self.random.random() < 0.5
        units = 10**8 * self.random.randint(1, 50) + self.random.randrange(10**8)
        if sell:
            held = int(book["volume"] * 10**8)
            units = held if self.random.random() < 0.4 else self.random.randint(1, held)
        trades = [(self.price(), volume) for volume in self.pieces(units)]
        rate = Decimal("0.0005")
        fee = round(sum((price * volume * rate for price, volume in trades), Decimal(0)), 16)
        (sold if sell else bought)(market, *trades, fee=fee, at=at, identifier=f"random-{number}")
        (self.take if sell else self.add)(book, trades, Fraction(fee), today=at >= MIDNIGHT)

    def pieces(self, units):
        cuts = sorted({self.random.randint(1, units) for _ in range(self.random.randint(0, 3))} | {units})
        return [Decimal(b - a).scaleb(-8) for a, b in zip([0, *cuts], cuts, strict=False)]

    def price(self):
        return Decimal(self.random.randint(1, 10**7)).scaleb(self.random.choice([-8, -4, -1, 0, 1]))

    def add(self, book, trades, fee, *, today):
        funds = sum(Fraction(price) * Fraction(volume) for price, volume in trades)
        book["volume"] += sum(Fraction(volume) for _, volume in trades)
        book["cost"] += funds + fee
        book["flow"] -= funds + fee

    def take(self, book, trades, fee, *, today):
        funds = sum(Fraction(price) * Fraction(volume) for price, volume in trades)
        volume = sum(Fraction(volume) for _, volume in trades)
        paid = book["cost"] * volume / book["volume"]
        book["volume"] -= volume
        book["cost"] -= paid
        book["realised"] += funds - fee - paid
        book["today"] += funds - fee - paid if today else 0
        book["flow"] += funds - fee


def test_fee_of_an_order_is_split_exactly():
    order = bought("KRW-BTC", (3, 1), (7, 1), (11, 1), fee="0.0000000000000001", at=NOON)

    assert order.fills.count() == 3
    assert position("KRW-BTC").cost == Decimal("21.0000000000000001")


def test_the_widest_numbers_stay_exact():
    price, volume = Decimal("99999999999.99999999"), Decimal("99999999.99999999")
    bought("KRW-BTC", (price, volume), fee="0.0000000000000001", at=NOON, funds=10_000)

    assert Fraction(position("KRW-BTC").cost) == Fraction(price) * Fraction(volume) + Fraction(1, 10**16)
