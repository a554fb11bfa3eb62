"""What the exchange's words make of an order (docs/orders.md O10, O11)."""

from decimal import Decimal

import pytest

from tests.marketdata.feed import NOON
from tests.orders.book import placed
from tradingsite.clients.upbit.exchange_schemas import ExchangeOrder
from tradingsite.orders.execution import exchange_report
from tradingsite.orders.models import Fill, Order, OrderState

pytestmark = pytest.mark.django_db
ISO = "2026-01-05T21:00:00+09:00"


def told(state, *trades, **facts) -> ExchangeOrder:
    """Return what Upbit tells of a market buy for 10,000 won; each trade is a price and a volume."""
    shown = [
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
        "trades": shown,
    }
    return ExchangeOrder.model_validate({**values, **facts})


FULL = ("148520000", "0.00006733")
SOLD = {"side": "ask", "ord_type": "market", "price": None, "volume": "0.0001"}


@pytest.mark.parametrize(
    ("shown", "state"),
    [
        (told("wait"), "OPEN"),
        (told("watch"), "OPEN"),
        (told("wait", ("100", "50")), "PARTIAL"),
        (told("done", ("100", "100")), "DONE"),
        (told("cancel"), "CANCELLED"),
        (told("cancel", FULL), "DONE"),
        (told("cancel", ("30000", "0.33333333")), "DONE"),
        (told("cancel", ("100", "50")), "CANCELLED"),
        (told("cancel", ("148520000", "0.00006732")), "CANCELLED"),
        (told("cancel", ("148000000", "0.00003"), ("149000000", "0.00003731")), "DONE"),
        (told("cancel", ("100000000", "0.00005"), **SOLD), "CANCELLED"),
        (told("done", ("100000000", "0.0001"), **SOLD), "DONE"),
        (told("a-new-word"), "OPEN"),
        (told("a-new-word", ("100", "50")), "PARTIAL"),
    ],
    ids=lambda value: getattr(value, "state", value),
)
def test_the_state_is_what_was_executed_not_upbits_word(shown, state):
    assert exchange_report.state_of(shown) == state


def test_fills_and_fee_are_booked_exactly():
    order = placed(state="UNKNOWN")

    exchange_report.apply_report(order, told("cancel", FULL), NOON)

    order.refresh_from_db()
    assert (order.state, order.uuid, order.ended_at) == (OrderState.DONE, "u-1", NOON)
    assert (order.executed_volume, order.executed_funds) == (Decimal("0.00006733"), Decimal("9999.8516"))
    assert order.paid_fee == Decimal("4.9999258")
    assert Fill.objects.get().funds == Decimal("9999.8516")


def test_the_same_fills_told_again_are_booked_once_and_leave_no_trace():
    order = placed(state="OPEN", uuid="u-1")
    for _ in range(2):
        exchange_report.apply_report(order, told("wait", ("100", "10")), NOON)
    exchange_report.apply_report(order, told("wait", ("100", "10"), ("101", "20")), NOON)

    assert (order.state, Fill.objects.count()) == (OrderState.PARTIAL, 2)
    assert order.executed_volume == 30
    assert list(order.events.values_list("state_after", "what")) == [
        ("PARTIAL", "moved"),
        ("PARTIAL", "looked"),
    ]


@pytest.mark.parametrize(
    "shown",
    [
        told("done", ("100", "100"), side="ask"),
        told("done", ("100", "100"), market="KRW-ETH"),
        told("done", ("100", "100"), ord_type="limit"),
        told("done", ("100", "100"), identifier="somebody-else"),
        told("done", ("100", "100"), uuid="u-2"),
        told("done", ("100", "100"), executed_volume="101", trades_count=2),
        told("done"),
        told("wait", ("100", "9")),
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
def test_an_answer_that_contradicts_our_books_or_itself_ends_nothing(shown):
    order = placed(state="OPEN", uuid="u-1")
    exchange_report.apply_report(order, told("wait", ("100", "10")), NOON)

    exchange_report.apply_report(order, shown, NOON)

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
    ids=["told twice", "vanished", "changed", "nothing traded", "too large", "too long", "a fee beyond all"],
)
def test_trades_that_cannot_be_true_end_nothing_and_raise_nothing(facts):
    order = placed(state="OPEN", uuid="u-1")
    exchange_report.apply_report(order, told("wait", ("100", "10")), NOON)

    exchange_report.apply_report(order, told("done", **facts), NOON)

    stored = Order.objects.get()
    for known in (stored, order):
        assert known.state == OrderState.PARTIAL
        assert known.executed_volume == 10
    assert Fill.objects.count() == 1
    assert stored.events.last().evidence["contradiction"]


def test_another_orders_uuid_is_noted_and_raises_nothing():
    placed(identifier="a-0", uuid="u-1")
    order = placed(state="UNKNOWN")

    exchange_report.apply_report(order, told("cancel", FULL), NOON)

    order.refresh_from_db()
    assert (order.state, Fill.objects.count()) == (OrderState.UNKNOWN, 0)
    assert "uuid" in order.events.last().evidence["contradiction"]


def test_an_identifier_that_is_left_out_contradicts_nothing():
    order = placed(state="OPEN", uuid="u-1")
    exchange_report.apply_report(order, told("cancel", FULL, identifier=None), NOON)
    assert order.state == OrderState.DONE


@pytest.mark.parametrize("state", ["DENIED", "REJECTED", "DONE", "CANCELLED"])
def test_what_has_ended_is_not_touched_again(state):
    order = placed(state=state, uuid="u-1")

    exchange_report.apply_report(order, told("cancel", FULL), NOON)

    assert (Order.objects.get().state, Fill.objects.count(), order.events.count()) == (state, 0, 0)


def test_an_order_that_is_done_without_any_trade_is_not_believed():
    order = placed(state="OPEN", uuid="u-1")

    exchange_report.apply_report(order, told("done"), NOON)

    assert (order.state, order.ended_at) == (OrderState.OPEN, None)
    assert "nothing was executed" in order.events.last().evidence["contradiction"]
