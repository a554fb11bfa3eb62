"""The orders' health: none yet, young, old, unclear."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from tests.orders.book import placed
from tradingsite.orders.probes import recent_order

pytestmark = pytest.mark.django_db


def order(state: str, minutes: float) -> None:
    placed(
        state=state,
        identifier=f"{state}-{minutes}".replace(".", "_"),
        created_at=Now() - timedelta(minutes=minutes),
    )


def test_without_an_order_the_warning_says_that_there_is_none_yet():
    finding = recent_order()

    assert (finding.status, finding.english) == ("warning", "no order yet")


@pytest.mark.parametrize("state", ["PLANNED", "DENIED", "DONE", "CANCELLED", "REJECTED", "LOST"])
def test_with_no_active_order_all_is_well(state):
    order(state, 600)

    finding = recent_order()

    assert (finding.status, finding.english) == ("healthy", "no active order")


@pytest.mark.parametrize("state", ["SUBMITTING", "OPEN", "PARTIAL", "UNKNOWN"])
def test_young_active_orders_are_healthy_and_counted(state):
    order(state, 14.9)
    order("OPEN", 1)

    finding = recent_order()

    assert (finding.status, finding.english) == ("healthy", "active orders: 2, none older than 15 min")


@pytest.mark.parametrize("state", ["SUBMITTING", "OPEN", "PARTIAL"])
def test_an_old_active_order_is_a_warning(state):
    order(state, 600)
    order("UNKNOWN", 19.9)
    order("OPEN", 1)

    finding = recent_order()

    assert (finding.status, finding.english) == ("warning", "active orders older than 15 min: 2 of 3")


def test_an_order_unknown_for_over_20_minutes_is_unhealthy():
    order("UNKNOWN", 20.1)
    order("OPEN", 600)

    finding = recent_order()

    assert finding.status == "unhealthy"
    assert finding.english == "orders unknown for over 20 min: 1; look them up at Upbit"
