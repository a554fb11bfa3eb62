"""Orders: what the table refuses, what counts as active, and that people only read them."""

from decimal import Decimal
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from tests.marketdata.feed import NOON
from tests.orders.book import MOVES, advice, placed
from tests.orders.trades import bought, fill
from tradingsite.batches import delete_in_batches
from tradingsite.marketdata.retention import delete_before
from tradingsite.orders.execution import intents
from tradingsite.orders.models import PLACED_STATES, Fill, Order, OrderEvent, OrderState
from tradingsite.risk.models import Halt
from tradingsite.strategy.models import TradingSignal

pytestmark = pytest.mark.django_db


def test_the_orders_whose_outcome_is_open_are_active():
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
def test_each_type_of_order_takes_its_amounts(facts):
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
def test_the_table_refuses_an_order_that_makes_no_sense(facts):
    with pytest.raises(IntegrityError), transaction.atomic():
        placed(**facts)


def test_identifier_uuid_and_signal_are_each_used_once():
    asked = advice()
    placed(identifier="one", uuid="u-1", signal=asked)

    for facts in (
        {"identifier": "one"},
        {"identifier": "two", "uuid": "u-1"},
        {"identifier": "three", "signal": asked},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            placed(**facts)
    assert placed(identifier="four", side="ask", ord_type="market", funds=None, volume=1).signal is None


def test_a_market_has_one_order_under_way_and_an_unknown_one_may_be_joined():
    placed(identifier="one", state="UNKNOWN")
    placed(identifier="two", state="OPEN")

    with pytest.raises(IntegrityError, match="one_order_at_a_time_per_market"), transaction.atomic():
        placed(identifier="three", state="SUBMITTING")
    assert placed(identifier="four", state="SUBMITTING", market="KRW-ETH").pk


@pytest.mark.parametrize("before", OrderState)
@pytest.mark.parametrize("after", OrderState)
def test_the_database_allows_exactly_the_moves_that_there_are(before, after):
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
def test_what_was_asked_for_never_changes(change):
    order = placed(state="SUBMITTING")

    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(**change)


def test_what_has_ended_keeps_its_fills_and_nothing_is_deleted():
    order = placed(state="DONE")

    with pytest.raises(IntegrityError, match="it has ended"), transaction.atomic():
        Order.objects.update(executed_volume=1)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        order.delete()


def test_a_fee_is_kept_unrounded():
    order = placed(executed_funds=Decimal("1020.4823571"), paid_fee=Decimal("0.51024117855"))

    order.refresh_from_db()
    assert order.paid_fee == Decimal("0.51024117855")
    assert str(order) == "KRW-BTC bid a-1"


def test_a_signal_that_made_an_order_cannot_be_deleted():
    asked = advice()
    placed(signal=asked)

    with pytest.raises(ProtectedError):
        delete_in_batches(TradingSignal.objects.all())
    assert TradingSignal.objects.get() == asked


def test_the_clean_up_of_market_data_leaves_orders_signals_and_halts():
    placed(state=OrderState.OPEN, uuid="u-1", signal=advice())
    Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")
    Order.objects.update(created_at=NOON)
    TradingSignal.objects.update(created_at=NOON)

    delete_before(NOON.replace(year=2036))

    assert [model.objects.count() for model in (Order, TradingSignal, Halt)] == [1, 1, 1]


def test_orders_are_read_in_admin_and_never_written(admin_client):
    order = placed(state=OrderState.UNKNOWN)
    change = reverse("admin:orders_order_change", args=[order.pk])

    found = admin_client.get(reverse("admin:orders_order_changelist"), {"q": order.identifier})
    assert order.identifier in found.content.decode()
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"state": "DONE"}).status_code == 403
    assert admin_client.get(reverse("admin:orders_order_add")).status_code == 403
    assert admin_client.post(reverse("admin:orders_order_delete", args=[order.pk])).status_code == 403


def test_the_fills_of_an_order_are_never_changed_nor_added_to_its_end():
    order = bought("KRW-BTC", (100, 1), at=NOON)
    fills = Fill.objects.all()

    for wrong in (lambda: fills.update(price=99), fills.delete, lambda: fill(order, 100, 1, at=NOON)):
        with pytest.raises(IntegrityError, match=r"never changed|takes no fill"), transaction.atomic():
            wrong()
    assert fills.get().price == 100


def test_an_event_is_never_rewritten():
    order = placed(state="SUBMITTING")
    intents.transition(order, OrderState.UNKNOWN, NOON, {})

    with pytest.raises(IntegrityError, match="never rewritten"), transaction.atomic():
        OrderEvent.objects.update(state_after="DONE")


def test_an_order_begins_as_planned():
    with pytest.raises(IntegrityError, match="begins as PLANNED, not as OPEN"), transaction.atomic():
        Order.objects.create(
            identifier="a", uuid="u", market="KRW-BTC", side="ask", ord_type="market", volume=1,
            cause="stop_loss", state="OPEN",
        )  # fmt: skip


def test_a_denied_order_may_stand_beside_one_under_way():
    placed(identifier="one", state="OPEN")
    assert placed(identifier="two", state="DENIED", funds=None).pk


def test_the_migration_of_the_guards_goes_back_and_forth():
    migration = import_module("tradingsite.orders.migrations.0003_moves")

    with connection.cursor() as cursor:
        cursor.execute(migration.NO_GUARD)
        cursor.execute(migration.GUARD)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        placed().delete()
