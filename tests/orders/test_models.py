"""Orders: constraints of the table, which are active, and read-only admin pages."""

from decimal import Decimal
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from tests.marketdata.feed import NOON
from tests.orders.book import MOVES, buy_signal, placed
from tests.orders.trades import bought, fill
from tradingsite.batches import delete_in_batches
from tradingsite.marketdata.retention import delete_before
from tradingsite.orders.execution import intents
from tradingsite.orders.models import PLACED_STATES, Fill, Order, OrderEvent, OrderState
from tradingsite.risk.models import Halt
from tradingsite.strategy.models import TradingSignal

pytestmark = pytest.mark.django_db


def test_orders_with_an_open_outcome_are_active():
    for number, state in enumerate(OrderState):
        placed(state=state, identifier=f"a-{number}", market=f"KRW-{number}")

    active = set(Order.objects.active().values_list("state", flat=True))

    assert active == {"SUBMITTING", "OPEN", "PARTIAL", "UNKNOWN"}


@pytest.mark.parametrize(
    "facts",
    [
        {"ord_type": "limit", "funds": None, "price": 100, "volume": Decimal("0.5")},
        {"ord_type": "market", "side": "ask", "funds": None, "volume": Decimal("0.00000001")},
        {"ord_type": "best"},
        {"ord_type": "best", "side": "ask", "funds": None, "volume": 1},
    ],
    ids=str,
)
def test_each_order_type_accepts_its_amounts(facts):
    assert placed(**facts).pk


@pytest.mark.parametrize(
    "facts",
    [
        {"side": "ask"},
        {"funds": None},
        {"funds": 0},
        {"volume": 1},
        {"ord_type": "limit"},
        {"ord_type": "limit", "funds": None, "price": 100},
        {"ord_type": "limit", "funds": None, "volume": 1},
        {"ord_type": "limit", "side": "buy", "funds": None, "price": 100, "volume": 1},
        {"ord_type": "market", "side": "ask", "funds": None},
        {"ord_type": "market", "funds": None, "volume": 1},
        {"ord_type": "stop"},
        {"state": "SENT"},
        {"state": "OPEN", "uuid": None},
        {"state": "DONE", "uuid": None},
        {"identifier": "with a space"},
        {"identifier": ""},
        {"executed_volume": -1},
        {"executed_funds": -1},
        {"paid_fee": -1},
    ],
    ids=str,
)
def test_database_refuses_an_invalid_order(facts):
    with pytest.raises(IntegrityError), transaction.atomic():
        placed(**facts)


def test_identifier_uuid_and_signal_are_unique():
    signal = buy_signal()
    placed(identifier="one", uuid="u-1", signal=signal)

    for facts in (
        {"identifier": "one"},
        {"identifier": "two", "uuid": "u-1"},
        {"identifier": "three", "signal": signal},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            placed(**facts)
    assert placed(identifier="four", side="ask", ord_type="market", funds=None, volume=1).signal is None


def test_market_has_at_most_one_order_in_progress_besides_unknown_ones():
    placed(identifier="one", state="UNKNOWN")
    placed(identifier="two", state="OPEN")

    with pytest.raises(IntegrityError, match="one_order_at_a_time_per_market"), transaction.atomic():
        placed(identifier="three", state="SUBMITTING")
    assert placed(identifier="four", state="SUBMITTING", market="KRW-ETH").pk


@pytest.mark.parametrize("before", OrderState)
@pytest.mark.parametrize("after", OrderState)
def test_database_allows_exactly_the_documented_state_transitions(before, after):
    order = placed(state=before, uuid="u-1")
    order.state = after
    if after in PLACED_STATES:
        order.uuid = "u-1"
    if before == after or after in MOVES.get(before, ()):
        order.save()
    else:
        with pytest.raises(IntegrityError, match="cannot move"), transaction.atomic():
            order.save()


@pytest.mark.parametrize(
    "change", [{"identifier": "b"}, {"funds": 20_000}, {"market": "KRW-ETH"}, {"signal_id": None}], ids=str
)
def test_requested_values_of_an_order_are_immutable(change):
    order = placed(state="SUBMITTING")

    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**change)


def test_ended_order_is_immutable_and_cannot_be_deleted():
    order = placed(state="DONE")

    with pytest.raises(IntegrityError, match="it has ended"), transaction.atomic():
        Order.objects.update(executed_volume=1)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        order.delete()


def test_fee_is_stored_unrounded():
    order = placed(executed_funds=Decimal("1020.4823571"), paid_fee=Decimal("0.51024117855"))

    order.refresh_from_db()
    assert order.paid_fee == Decimal("0.51024117855")
    assert str(order) == "KRW-BTC bid a-1"


def test_signal_with_an_order_cannot_be_deleted():
    signal = buy_signal()
    placed(signal=signal)

    with pytest.raises(ProtectedError):
        delete_in_batches(TradingSignal.objects.all())
    assert TradingSignal.objects.get() == signal


def test_market_data_retention_keeps_orders_signals_and_halts():
    placed(state=OrderState.OPEN, uuid="u-1", signal=buy_signal())
    Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")
    Order.objects.update(created_at=NOON)
    TradingSignal.objects.update(created_at=NOON)

    delete_before(NOON.replace(year=2036))

    assert [model.objects.count() for model in (Order, TradingSignal, Halt)] == [1, 1, 1]


def test_orders_are_read_only_in_admin(admin_client):
    order = placed(state=OrderState.UNKNOWN)
    change = reverse("admin:orders_order_change", args=[order.pk])

    found = admin_client.get(reverse("admin:orders_order_changelist"), {"q": order.identifier})
    assert order.identifier in found.content.decode()
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"state": "DONE"}).status_code == 403
    assert admin_client.get(reverse("admin:orders_order_add")).status_code == 403
    assert admin_client.post(reverse("admin:orders_order_delete", args=[order.pk])).status_code == 403


def test_fills_are_immutable_and_not_added_to_an_ended_order():
    order = bought("KRW-BTC", (100, 1), at=NOON)
    fills = Fill.objects.all()

    for wrong in (lambda: fills.update(price=99), fills.delete, lambda: fill(order, 100, 1, at=NOON)):
        with pytest.raises(IntegrityError, match=r"never changed|takes no fill"), transaction.atomic():
            wrong()
    assert fills.get().price == 100


def test_order_events_are_immutable():
    order = placed(state="SUBMITTING")
    intents.transition(order, OrderState.UNKNOWN, NOON, {})

    with pytest.raises(IntegrityError, match="never rewritten"), transaction.atomic():
        OrderEvent.objects.update(state_after="DONE")


def test_new_order_must_be_planned():
    with pytest.raises(IntegrityError, match="begins as PLANNED, not as OPEN"), transaction.atomic():
        Order.objects.create(
            identifier="a", uuid="u", market="KRW-BTC", side="ask", ord_type="market", volume=1,
            cause="stop_loss", state="OPEN",
        )  # fmt: skip


def test_denied_order_does_not_block_the_market():
    placed(identifier="one", state="OPEN")
    assert placed(identifier="two", state="DENIED", funds=None).pk


def test_migration_of_the_guards_is_reversible():
    migration = import_module("tradingsite.orders.migrations.0003_moves")

    with connection.cursor() as cursor:
        cursor.execute(migration.NO_GUARD)
        cursor.execute(migration.GUARD)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        placed().delete()
