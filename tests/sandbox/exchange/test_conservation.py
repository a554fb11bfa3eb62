"""Hundreds of random orders: nothing appears, nothing is lost but fees, nothing stays locked (E11, E12)."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, localcontext

import pytest

from tests.sandbox.conftest import NOON_MS
from tests.sandbox.desk import Desk, StillVenue, offers
from tradingsite.sandbox.exchange.exchange import Exchange
from tradingsite.sandbox.exchange.ledger import EXACT, Ledger
from tradingsite.sandbox.exchange.refusals import Denied
from tradingsite.sandbox.exchange.terms import read
from tradingsite.sandbox.exchange.venue import PathVenue
from tradingsite.sandbox.quotation.prices import Prices

MARKETS = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


def money(exchange):
    """Return KRW and coins, spent and paid, as the trades tell them."""
    totals = {"KRW": Decimal(10_000_000)}
    for order in exchange.orders():
        coin = order.market.removeprefix("KRW-")
        sign = 1 if order.side == "bid" else -1
        totals[coin] = totals.get(coin, Decimal()) + sign * order.executed_volume
        totals["KRW"] -= sign * order.executed_funds + order.paid_fee
    return totals


def check(exchange):
    purses = exchange.balances()
    with localcontext(EXACT):
        assert all(purse.balance >= 0 and purse.locked >= 0 for purse in purses.values())
        totals = {currency: purse.total for currency, purse in purses.items() if purse.total}
        assert totals == {currency: total for currency, total in money(exchange).items() if total}
        for currency, purse in purses.items():
            waiting = [
                order.locked
                for order in exchange.orders()
                if order.state == "wait"
                and (currency == "KRW" if order.side == "bid" else order.market == f"KRW-{currency}")
            ]
            assert purse.locked == sum(waiting)


def random_order(chance, exchange, venue, at_ms):
    """Return a body that is mostly possible."""
    market = chance.choice(MARKETS)
    side = chance.choice(("bid", "ask"))
    kind = chance.choice(("limit", "best", "price" if side == "bid" else "market"))
    [best, *_] = venue.offers(market, side, at_ms)
    body = {"market": market, "side": side, "ord_type": kind}
    coins = exchange.balances().get(market.removeprefix("KRW-"))
    worth = chance.randint(4_000, 700_000)
    if kind == "limit":
        tick = Decimal(1000 if market != "KRW-XRP" else 1)
        price = (best.price * chance.randint(990, 1010) / 1000) // tick * tick
        body |= {"price": f"{price:f}", "volume": f"{worth / price:.8f}"}
        condition = chance.choice(("", "", "ioc", "fok", "post_only"))
    else:
        owned = coins.balance if coins else Decimal(1)
        volume = min(owned, worth / best.price)
        body |= {"price": str(worth)} if side == "bid" else {"volume": f"{volume:.8f}"}
        condition = chance.choice(("ioc", "fok")) if kind == "best" else ""
    return body | ({"time_in_force": condition} if condition else {})


@pytest.mark.parametrize("seed", [1, 2])
def test_random_orders_conserve_money_and_coins(seed):
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    venue = PathVenue(Prices(seed))
    now = [NOON_MS]
    exchange = Exchange(venue, lambda: now[0])
    accepted = 0
    for _ in range(300):
        body = random_order(chance, exchange, venue, now[0])
        exchange.next_fills.append(chance.choice(("normal",) * 6 + ("partial_then_cancel", "never")))
        with exchange.at(now[0]) as state:
            try:
                exchange.accept(read(body), now[0])
                accepted += 1
            except Denied:
                exchange.next_fills.clear()
            waiting = [state.orders[uuid] for uuid in state.waiting]
            if waiting and chance.random() < 0.3:
                exchange.cancel(chance.choice(waiting), now[0])
        now[0] += chance.choice((0, 100, 300, 5_000, 60_000))
        check(exchange)

    with exchange.at(now[0]) as state:
        for order in [state.orders[uuid] for uuid in state.waiting]:
            exchange.cancel(order, now[0])
    now[0] += 300
    check(exchange)
    assert accepted > 150
    assert {order.state for order in exchange.orders()} == {"done", "cancel"}
    assert {purse.locked for purse in exchange.balances().values()} == {0}


def test_simultaneous_orders_cannot_overdraw_the_account():
    desk = Desk(StillVenue(asks=offers(("1000000", "1000"))))
    for _ in range(9):
        desk.buy("1000000")
    with pytest.raises(Denied, match="insufficient_funds_bid"):
        desk.buy("1000000")  # 10 x 1,000,500
    desk.wait()

    assert desk.purse("KRW") == (10_000_000 - 9 * 1_000_500, 0)
    check(desk.exchange)


def test_reading_more_often_does_not_change_the_fills():
    def outcome(steps):
        chance = random.Random(5)  # noqa: S311 - repeatable on purpose
        venue = PathVenue(Prices(1))
        now = [NOON_MS]
        exchange = Exchange(venue, lambda: now[0])
        for _ in range(12):
            body = random_order(chance, exchange, venue, now[0])
            with exchange.at(now[0]):
                try:
                    exchange.accept(read(body), now[0])
                except Denied:
                    continue
        for step_ms in steps:
            now[0] += step_ms
            exchange.orders()
        trades = [
            [(trade.at_ms, trade.price, trade.volume) for trade in order.trades]
            for order in exchange.orders()
        ]
        return trades, exchange.balances()

    assert outcome([3_600_000]) == outcome([100] * 50 + [5_000] * 119 + [60_000] * 50)


@pytest.fixture
def fast_switching_threads():
    """Threads that interrupt each other after every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_threads_cannot_spend_the_same_won_twice(fast_switching_threads):
    desk = Desk(StillVenue(asks=offers(("1000000", "1000"))))

    def buy(number):
        try:
            desk.buy(str(100_000 + number))
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(buy, range(400)))
    assert accepted == len(desk.exchange.orders()) == 99  # 10,000,000 / 100,050 and a little more
    check(desk.exchange)
    desk.wait()
    check(desk.exchange)


def test_overdraft_raises_and_changes_nothing():
    desk = Desk(StillVenue(asks=offers(("1000000", "1000"))))
    desk.buy("1000000")
    order = desk.last
    with desk.exchange.at(desk.now_ms) as state:
        ledger = Ledger(state)
        ledger.release(order)
        with pytest.raises(ArithmeticError, match="KRW would be negative"):
            ledger.release(order)

    assert desk.purse("KRW") == (10_000_000, 0)
