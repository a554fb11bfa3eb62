"""Orders: what the table refuses, what counts as active, and that people only read them."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from tests.marketdata.feed import NOON
from tests.orders.book import placed
from tradingsite.marketdata.retention import delete_before, delete_in_batches
from tradingsite.orders.models import Order, State
from tradingsite.risk.models import Halt
from tradingsite.strategy.models import TradingSignal

pytestmark = pytest.mark.django_db


def signal() -> TradingSignal:
    return TradingSignal.objects.create(
        market="KRW-BTC", tick=NOON, as_of=NOON, decision="BUY", confidence=Decimal("0.7"), price=100
    )


def test_the_orders_whose_outcome_is_open_are_active():
    for number, state in enumerate(State):
        placed(state=state, identifier=f"a-{number}")

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


def test_identifier_uuid_and_signal_with_side_are_each_used_once():
    advice = signal()
    placed(identifier="one", uuid="u-1", signal=advice)

    for facts in (
        {"identifier": "one"},
        {"identifier": "two", "uuid": "u-1"},
        {"identifier": "three", "signal": advice},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            placed(**facts)
    assert placed(identifier="four").signal is None
    assert placed(identifier="five", uuid=None).uuid is placed(identifier="six", uuid=None).uuid is None


def test_a_fee_is_kept_unrounded():
    order = placed(executed_funds=Decimal("1020.4823571"), paid_fee=Decimal("0.51024117855"))

    order.refresh_from_db()
    assert order.paid_fee == Decimal("0.51024117855")
    assert str(order) == "KRW-BTC bid a-1"


def test_a_signal_that_made_an_order_cannot_be_deleted():
    advice = signal()
    placed(signal=advice)

    with pytest.raises(ProtectedError):
        delete_in_batches(TradingSignal.objects.all())
    assert TradingSignal.objects.get() == advice


def test_the_clean_up_of_market_data_leaves_orders_signals_and_halts():
    placed(state=State.OPEN, uuid="u-1", signal=signal())
    Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")
    Order.objects.update(created_at=NOON)
    TradingSignal.objects.update(created_at=NOON)

    delete_before(NOON.replace(year=2036))

    assert [model.objects.count() for model in (Order, TradingSignal, Halt)] == [1, 1, 1]


def test_orders_are_read_in_admin_and_never_written(admin_client):
    order = placed(state=State.UNKNOWN)
    change = reverse("admin:orders_order_change", args=[order.pk])

    found = admin_client.get(reverse("admin:orders_order_changelist"), {"q": order.identifier})
    assert order.identifier in found.content.decode()
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"state": "DONE"}).status_code == 403
    assert admin_client.get(reverse("admin:orders_order_add")).status_code == 403
    assert admin_client.post(reverse("admin:orders_order_delete", args=[order.pk])).status_code == 403
