"""How orders meet the book: floors, leftovers, fees to the last digit, conditions, what rests (E10-E17)."""

from decimal import Decimal

import pytest

from tests.sandbox.desk import PLENTY, Desk, StillVenue, offers
from tradingsite.sandbox.exchange.refusals import Denied
from tradingsite.sandbox.exchange.serialization import order_json, trades_json

D = Decimal
PRICE = "148520000"


@pytest.fixture
def desk():
    """One with a coin to sell, bought at 100,000,000 from the only level of the book."""
    desk = Desk(StillVenue(asks=offers(("1000000", PLENTY)), bids=offers(("999000", PLENTY))))
    desk.buy("5000000")
    desk.wait()
    assert desk.purse("BTC") == (5, 0)
    return desk


def fresh(*asks, **options):
    return Desk(StillVenue(asks=offers(*asks)), **options)


def test_buy_is_answered_with_the_waiting_order():
    desk = fresh((PRICE, PLENTY))

    answer = desk.buy("10000", identifier="sig-1")
    assert answer == {
        "market": "KRW-BTC",
        "uuid": answer["uuid"],
        "side": "bid",
        "ord_type": "price",
        "price": "10000",
        "state": "wait",
        "created_at": "2026-11-22T21:00:30+09:00",
        "executed_volume": "0",
        "reserved_fee": "5",
        "remaining_fee": "5",
        "paid_fee": "0",
        "locked": "10005",
        "prevented_volume": "0",
        "prevented_locked": "0",
        "trades_count": 0,
        "identifier": "sig-1",
        "smp_type": "cancel_maker",
    }
    assert desk.purse("KRW") == (10_000_000 - 10_005, 10_005)


def test_filled_market_buy_ends_in_state_cancel():
    desk = fresh((PRICE, PLENTY))
    desk.buy("10000")
    desk.wait()

    order = order_json(desk.last)
    assert order["state"] == "cancel"
    assert order["executed_volume"] == "0.00006733"
    assert order["paid_fee"] == "4.9999258"
    assert order["remaining_fee"] == "0.0000742"
    assert order["locked"] == "0.1484742"
    assert order["trades_count"] == 1
    [trade] = trades_json(desk.last)
    assert trade == {
        "market": "KRW-BTC",
        "uuid": trade["uuid"],
        "price": PRICE,
        "volume": "0.00006733",
        "funds": "9999.8516",
        "trend": "up",
        "created_at": "2026-11-22T21:00:30.800000+09:00",
        "side": "bid",
    }
    assert desk.purse("KRW") == (10_000_000 - D("9999.8516") - D("4.9999258"), 0)
    assert desk.purse("BTC") == (D("0.00006733"), 0)


@pytest.mark.parametrize(
    ("total", "price", "volume", "funds", "state"),
    [
        ("10000", "30000", "0.33333333", "9999.9999", "cancel"),
        ("10000", "10000", "1", "10000", "done"),
        ("10000", "12500", "0.8", "10000", "done"),
        ("7394.19175", "1375", "5.37759400", "7394.19175", "done"),
        ("5000", "0.00000001", "500000000000", "5000", "done"),
        ("5000", "999999999000", "0", "0", "cancel"),
    ],
)
def test_market_buy_volume_is_floored_to_eight_decimals(total, price, volume, funds, state):
    desk = fresh((price, "1000000000000"))
    desk.buy(total)
    desk.wait()

    order = desk.last
    assert (order.executed_volume, order.executed_funds, order.state) == (D(volume), D(funds), state)
    assert order.paid_fee == D(funds) * D("0.0005")
    assert desk.purse("KRW") == (10_000_000 - order.executed_funds - order.paid_fee, 0)


def test_fees_are_not_rounded():
    desk = fresh(("1375", PLENTY))
    desk.buy("7394.19175")
    desk.wait()

    assert order_json(desk.last)["paid_fee"] == "3.697095875"


def test_fee_of_twenty_decimals_is_exact():
    desk = fresh(("0.12345679", "100000000000"))
    desk.limit("bid", "0.124", "80000000.12345679", time_in_force="ioc")
    desk.wait()

    cost = 80_000_000_12345679 * 12_345_679  # in 1e-16 KRW
    fee = cost * 5  # in 1e-20
    assert order_json(desk.last)["paid_fee"] == str(D(fee).scaleb(-20))
    krw = desk.exchange.balances()["KRW"]
    assert int(krw.balance.scaleb(20)) == 10_000_000 * 10**20 - cost * 10**4 - fee
    assert krw.locked == 0


def test_market_buy_takes_the_book_level_by_level():
    desk = fresh(("1000000", "0.003"), ("1001000", "0.002"), ("1002000", PLENTY))
    desk.buy("10000")
    desk.wait()

    assert [(trade.price, trade.volume) for trade in desk.last.trades] == [
        (1_000_000, D("0.003")),
        (1_001_000, D("0.002")),
        (1_002_000, D("0.00498802")),  # floor(4998 / 1002000)
    ]
    assert desk.last.state == "cancel"
    assert len({trade.uuid for trade in desk.last.trades}) == 3


def test_buy_that_empties_the_book_is_cancelled_and_refunded():
    desk = fresh(("1000000", "0.003"))
    desk.buy("10000")
    desk.wait()

    assert (desk.last.state, desk.last.executed_funds) == ("cancel", 3000)
    assert desk.purse("KRW") == (10_000_000 - D("3001.5"), 0)


def test_sell_pays_its_fee_from_the_proceeds(desk):
    before = desk.exchange.balances()["KRW"].balance
    answer = desk.sell("0.01234567")
    assert (answer["reserved_fee"], answer["locked"], answer["remaining_volume"]) == (
        "0",
        "0.01234567",
        "0.01234567",
    )
    assert "price" not in answer
    assert desk.purse("BTC") == (5 - D("0.01234567"), D("0.01234567"))
    desk.wait()

    funds = D("0.01234567") * 999_000
    assert (desk.last.state, desk.last.remaining_volume, desk.last.locked) == ("done", 0, 0)
    assert desk.purse("KRW") == (before + funds - funds * D("0.0005"), 0)
    assert desk.purse("BTC") == (5 - D("0.01234567"), 0)
    assert order_json(desk.last)["remaining_fee"] == "0"
    assert trades_json(desk.last)[0]["trend"] == "down"


def test_sell_that_empties_the_book_is_cancelled(desk):
    desk.venue.bids = offers(("999000", "0.1"), ("998000", "0.1"))
    desk.sell("0.5")
    desk.wait()

    assert (desk.last.state, desk.last.executed_volume) == ("cancel", D("0.2"))
    assert desk.purse("BTC") == (D("4.8"), 0)


def test_average_buy_price_excludes_fees_and_survives_sells(desk):
    desk.venue.asks = offers(("2000000", PLENTY))
    desk.sell("4")
    desk.buy("4000000")
    desk.wait()

    # By the order of their moments: 4 of 5 sold at 1,000,000 a piece, then 2 bought at 2,000,000.
    assert desk.purse("BTC") == (3, 0)
    assert desk.exchange.balances()["BTC"].avg_buy_price == D("1666666.66666667")


def test_limit_order_takes_better_offers_and_rests_with_the_remainder():
    desk = fresh(("1000000", "0.003"), ("1001000", "0.002"), ("1002000", PLENTY))
    answer = desk.limit("bid", "1001000", "0.01")
    assert (answer["locked"], answer["reserved_fee"]) == ("10015.005", "5.005")
    desk.wait()

    spent = D(3000 + 2002)
    order = desk.last
    assert (order.state, order.executed_volume, order.remaining_volume) == ("wait", D("0.005"), D("0.005"))
    assert desk.purse("KRW")[1] == D("10015.005") - spent - spent * D("0.0005")

    desk.venue.traded += [(desk.now_ms + 60_000, D(1_002_000)), (desk.now_ms + 90_000, D(1_000_000))]
    desk.wait(89_999)
    assert desk.last.state == "wait"
    desk.wait(1)
    assert (desk.last.state, desk.last.trades[-1].price) == ("done", 1_001_000)  # its own price
    assert desk.purse("KRW")[1] == 0
    assert desk.purse("BTC") == (D("0.01"), 0)


def test_limit_sell_rests_until_the_price_reaches_it(desk):
    desk.limit("ask", "1100000", "1")
    desk.wait()
    assert (desk.last.state, desk.last.trades) == ("wait", ())

    desk.venue.traded.append((desk.now_ms + 5, D(1_100_000)))
    desk.wait(10)
    assert (desk.last.state, desk.last.executed_funds) == ("done", 1_100_000)
    assert desk.last.trades[0].at_ms == desk.now_ms - 5


@pytest.mark.parametrize(
    ("condition", "price", "volume", "executed", "state"),
    [
        ("ioc", "1000000", "0.01", "0.003", "cancel"),
        ("ioc", "1001000", "0.005", "0.005", "done"),
        ("ioc", "999000", "0.01", "0", "cancel"),
        ("fok", "1000000", "0.01", "0", "cancel"),
        ("fok", "1001000", "0.005", "0.005", "done"),
        ("post_only", "1000000", "0.01", "0", "cancel"),
        ("post_only", "999000", "0.01", "0", "wait"),
    ],
)
def test_time_in_force_of_limit_orders(condition, price, volume, executed, state):
    desk = fresh(("1000000", "0.003"), ("1001000", "0.002"), ("1002000", PLENTY))
    desk.limit("bid", price, volume, time_in_force=condition)
    desk.wait()

    assert (desk.last.executed_volume, desk.last.state) == (D(executed), state)
    if state != "wait":
        assert desk.purse("KRW")[1] == 0


@pytest.mark.parametrize(
    ("condition", "total", "executed", "state"),
    [
        ("ioc", "10000", "0.005", "cancel"),
        ("fok", "10000", "0", "cancel"),
        ("fok", "5000", "0.005", "done"),
        ("ioc", "5000.001", "0.005", "cancel"),
        ("fok", "5000.001", "0.005", "cancel"),
    ],
)
def test_best_buy_takes_only_the_best_price(condition, total, executed, state):
    desk = fresh(("1000000", "0.00500000"), ("1001000", PLENTY))
    desk.place(side="bid", ord_type="best", price=total, time_in_force=condition)
    desk.wait()

    assert (desk.last.executed_volume, desk.last.state) == (D(executed), state)
    assert "volume" not in order_json(desk.last)
    assert "remaining_volume" not in order_json(desk.last)


@pytest.mark.parametrize(
    ("condition", "executed", "state"), [("ioc", "0.2", "cancel"), ("fok", "0", "cancel")]
)
def test_best_sell_takes_only_the_best_price(desk, condition, executed, state):
    desk.venue.bids = offers(("999000", "0.2"), ("998000", PLENTY))
    desk.place(side="ask", ord_type="best", volume="0.5", time_in_force=condition)
    desk.wait()

    assert (desk.last.executed_volume, desk.last.state) == (D(executed), state)


def test_empty_book_fills_nothing():
    desk = fresh()
    desk.place(side="bid", ord_type="best", price="5000", time_in_force="fok")
    desk.wait()
    assert (desk.last.state, desk.last.trades) == ("cancel", ())
    with pytest.raises(Denied, match="under_min_total_ask"):  # nothing it could be worth
        desk.sell("1")


def test_fill_happens_after_the_delay_and_not_before():
    desk = fresh(("1000000", PLENTY))
    desk.buy("5000")
    desk.wait(299)
    assert desk.last.state == "wait"
    desk.wait(1)
    assert desk.last.state == "done"
    assert desk.last.trades[0].at_ms == desk.now_ms


def test_order_without_a_fill_delay_is_still_answered_with_wait():
    desk = fresh(("1000000", PLENTY), fill_after_ms=0)

    assert desk.buy("5000")["state"] == "wait"
    assert desk.last.state == "done"


def test_orders_wait_until_cancelled_when_fills_are_off():
    desk = fresh(("1000000", PLENTY), fill_after_ms=None)
    desk.buy("5000")
    desk.wait(10**9)
    assert desk.last.state == "wait"

    desk.cancel()
    assert (desk.last.state, desk.last.executed_volume) == ("cancel", 0)
    assert desk.purse("KRW") == (10_000_000, 0)


def test_partial_then_cancel_fills_half_and_cancels_the_rest(desk):
    krw = desk.exchange.balances()["KRW"].balance
    desk.exchange.next_fills += ["partial_then_cancel", "partial_then_cancel", "normal"]
    desk.buy("1000001")
    desk.wait()
    assert (desk.last.state, desk.last.executed_volume) == ("cancel", D("0.5000005"))
    desk.sell("0.00600001")
    desk.wait()
    assert (desk.last.state, desk.last.executed_volume) == ("cancel", D("0.003"))
    desk.buy("5000")
    desk.wait()

    assert (desk.last.state, desk.last.executed_funds) == ("done", 5000)
    assert not desk.exchange.next_fills
    assert desk.purse("KRW")[1] == desk.purse("BTC")[1] == 0
    assert krw > desk.exchange.balances()["KRW"].balance


def test_never_applies_to_the_next_accepted_order_only(desk):
    desk.exchange.next_fills.append("never")
    with pytest.raises(Denied):
        desk.buy("1")  # refused: it does not use the plan up
    desk.buy("5000", identifier="stuck")
    desk.buy("6000")
    desk.wait(10**7)

    assert [order.state for order in desk.exchange.orders()] == ["done", "wait", "done"]


def test_cancellation_takes_effect_after_the_delay(desk):
    desk.limit("bid", "900000", "1")
    desk.wait()
    assert desk.cancel().state == "wait"
    desk.wait(100)
    again = desk.cancel()  # already under way
    desk.wait(199)
    assert desk.last.state == "wait"
    desk.wait(1)

    assert again.uuid == desk.last.uuid
    assert desk.last.state == "cancel"
    assert desk.purse("KRW")[1] == 0
    with pytest.raises(Denied, match="order_not_found"):
        desk.cancel()


def test_trade_before_the_cancellation_takes_effect_fills_the_order(desk):
    desk.limit("bid", "900000", "1")
    desk.wait()
    desk.venue.traded.append((desk.now_ms + 200, D(900_000)))
    desk.cancel()
    desk.wait(10_000)

    assert (desk.last.state, desk.last.executed_volume) == ("done", 1)
    assert desk.purse("KRW")[1] == 0


def test_trade_after_the_cancellation_does_not_fill_the_order(desk):
    desk.limit("bid", "900000", "1")
    desk.wait()
    desk.venue.traded.append((desk.now_ms + 301, D(900_000)))
    desk.cancel()
    desk.wait(10_000)

    assert (desk.last.state, desk.last.executed_volume) == ("cancel", 0)


def test_market_order_is_filled_before_its_cancellation_takes_effect():
    desk = fresh(("1000000", PLENTY))
    desk.buy("5000")
    desk.wait(100)
    desk.cancel()
    desk.wait(1000)

    assert desk.last.state == "done"
