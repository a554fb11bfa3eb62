"""Booking of the exchange's report on an order (docs/orders.md O10, O11)."""

from decimal import Decimal

import pytest

from tests.marketdata.feed import NOON
from tests.orders.book import placed
from tradingsite.clients.upbit.exchange_schemas import ExchangeOrder
from tradingsite.orders.execution import exchange_report
from tradingsite.orders.models import Fill, Order, OrderState

pytestmark = pytest.mark.django_db
ISO = "2026-01-05T21:00:00+09:00"


def report(state, *trades, **facts) -> ExchangeOrder:
    """Return Upbit's report on a market buy for 10,000 won; each trade is a price and a volume."""
    reported = [
        {
            "market": "KRW-BTC",
            "uuid": f"t-{price}-{volume}",
            "price": price,
            "volume": volume,
            "funds": str(Decimal(price) * Decimal(volume)),
            "side": "bid",
            "created_at": ISO,
        }
        for price, volume in trades
    ]
    values = {
        "uuid": "u-1",
        "market": "KRW-BTC",
        "side": "bid",
        "ord_type": "price",
        "state": state,
        "created_at": ISO,
        "price": "10000",
        "executed_volume": str(sum(Decimal(volume) for _, volume in trades)),
        "reserved_fee": "5",
        "remaining_fee": "0",
        "paid_fee": "4.9999258",
        "locked": "0",
        "trades_count": len(trades),
        "identifier": "a-1",
        "trades": reported,
    }
    return ExchangeOrder.model_validate({**values, **facts})


FULL = ("148520000", "0.00006733")
SOLD = {"side": "ask", "ord_type": "market", "price": None, "volume": "0.0001"}


@pytest.mark.parametrize(
    ("reported", "state"),
    [
        (report("wait"), "OPEN"),
        (report("watch"), "OPEN"),
        (report("wait", ("100", "50")), "PARTIAL"),
        (report("done", ("100", "100")), "DONE"),
        (report("cancel"), "CANCELLED"),
        (report("cancel", FULL), "DONE"),
        (report("cancel", ("30000", "0.33333333")), "DONE"),
        (report("cancel", ("100", "50")), "CANCELLED"),
        (report("cancel", ("148520000", "0.00006732")), "CANCELLED"),
        (report("cancel", ("148000000", "0.00003"), ("149000000", "0.00003731")), "DONE"),
        (report("cancel", ("100000000", "0.00005"), **SOLD), "CANCELLED"),
        (report("done", ("100000000", "0.0001"), **SOLD), "DONE"),
        (report("a-new-word"), "OPEN"),
        (report("a-new-word", ("100", "50")), "PARTIAL"),
    ],
    ids=lambda value: getattr(value, "state", value),
)
def test_state_follows_from_the_executed_volume_not_upbits_state(reported, state):
    assert exchange_report.state_of(reported) == state


def test_fills_and_fee_are_booked_exactly():
    order = placed(state="UNKNOWN")

    exchange_report.apply_report(order, report("cancel", FULL), NOON)

    order.refresh_from_db()
    assert (order.state, order.uuid, order.ended_at) == (OrderState.DONE, "u-1", NOON)
    assert (order.executed_volume, order.executed_funds) == (Decimal("0.00006733"), Decimal("9999.8516"))
    assert order.paid_fee == Decimal("4.9999258")
    assert Fill.objects.get().funds == Decimal("9999.8516")


def test_repeated_report_books_its_fills_once_and_leaves_no_event():
    order = placed(state="OPEN", uuid="u-1")
    for _ in range(2):
        exchange_report.apply_report(order, report("wait", ("100", "10")), NOON)
    exchange_report.apply_report(order, report("wait", ("100", "10"), ("101", "20")), NOON)

    assert (order.state, Fill.objects.count()) == (OrderState.PARTIAL, 2)
    assert order.executed_volume == 30
    assert list(order.events.values_list("state_after", "what")) == [
        ("PARTIAL", "moved"),
        ("PARTIAL", "looked"),
    ]


@pytest.mark.parametrize(
    "reported",
    [
        report("done", ("100", "100"), side="ask"),
        report("done", ("100", "100"), market="KRW-ETH"),
        report("done", ("100", "100"), ord_type="limit"),
        report("done", ("100", "100"), identifier="another"),
        report("done", ("100", "100"), uuid="u-2"),
        report("done", ("100", "100"), executed_volume="101", trades_count=2),
        report("done"),
        report("wait", ("100", "9")),
    ],
    ids=[
        "side",
        "market",
        "type",
        "identifier",
        "uuid",
        "missing trade",
        "done with nothing",
        "less than before",
    ],
)
def test_contradictory_report_changes_nothing_and_is_recorded(reported):
    order = placed(state="OPEN", uuid="u-1")
    exchange_report.apply_report(order, report("wait", ("100", "10")), NOON)

    exchange_report.apply_report(order, reported, NOON)

    order.refresh_from_db()
    assert (order.state, Fill.objects.count()) == (OrderState.PARTIAL, 1)
    assert order.executed_volume == 10
    assert order.events.last().evidence["contradiction"]


def trade(uuid, price="100", volume="10", **facts):
    values = {"market": "KRW-BTC", "uuid": uuid, "price": price, "volume": volume, "side": "bid"}
    return {**values, "funds": str(Decimal(price) * Decimal(volume)), "created_at": ISO, **facts}


@pytest.mark.parametrize(
    "facts",
    [
        {"trades": [trade("t-100-10"), trade("t-100-10")], "executed_volume": "20"},
        {"trades": [trade("t-other", volume="20")], "executed_volume": "20"},
        {"trades": [trade("t-100-10", price="101"), trade("t-new")], "executed_volume": "20"},
        {"trades": [trade("t-100-10"), trade("t-new", volume="0"), trade("t-2")], "executed_volume": "20"},
        {
            "trades": [trade("t-100-10"), trade("t-new", volume="1e17")],
            "executed_volume": "100000000000000010",
        },
        {"trades": [trade("t-100-10"), trade("t" * 65)], "executed_volume": "20"},
        {"trades": [trade("t-100-10"), trade("t-2")], "executed_volume": "20", "paid_fee": "1e21"},
    ],
    ids=["repeated", "vanished", "changed", "nothing traded", "too large", "too long", "a fee beyond all"],
)
def test_impossible_trades_change_nothing_and_raise_nothing(facts):
    order = placed(state="OPEN", uuid="u-1")
    exchange_report.apply_report(order, report("wait", ("100", "10")), NOON)

    exchange_report.apply_report(order, report("done", **facts), NOON)

    stored = Order.objects.get()
    for known in (stored, order):
        assert known.state == OrderState.PARTIAL
        assert known.executed_volume == 10
    assert Fill.objects.count() == 1
    assert stored.events.last().evidence["contradiction"]


def test_uuid_of_another_order_is_recorded_as_a_contradiction():
    placed(identifier="a-0", uuid="u-1")
    order = placed(state="UNKNOWN")

    exchange_report.apply_report(order, report("cancel", FULL), NOON)

    order.refresh_from_db()
    assert (order.state, Fill.objects.count()) == (OrderState.UNKNOWN, 0)
    assert "uuid" in order.events.last().evidence["contradiction"]


def test_missing_identifier_is_no_contradiction():
    order = placed(state="OPEN", uuid="u-1")
    exchange_report.apply_report(order, report("cancel", FULL, identifier=None), NOON)
    assert order.state == OrderState.DONE


@pytest.mark.parametrize("state", ["DENIED", "REJECTED", "DONE", "CANCELLED"])
def test_report_of_an_ended_order_changes_nothing(state):
    order = placed(state=state, uuid="u-1")

    exchange_report.apply_report(order, report("cancel", FULL), NOON)

    assert (Order.objects.get().state, Fill.objects.count(), order.events.count()) == (state, 0, 0)


def test_done_report_without_a_trade_is_a_contradiction():
    order = placed(state="OPEN", uuid="u-1")

    exchange_report.apply_report(order, report("done"), NOON)

    assert (order.state, order.ended_at) == (OrderState.OPEN, None)
    assert "nothing was executed" in order.events.last().evidence["contradiction"]
