"""A column of an order is filled while it is traded, and shown on its page in admin."""

import re

import pytest
from django.urls import reverse

from tests.orders.trades import bought
from tests.orders.venue import NOON
from tradingsite.orders.admin import OrderAdmin
from tradingsite.orders.models import Order

pytestmark = pytest.mark.django_db

EMPTY_WHEN_FILLED = {"price", "volume", "reason", "acknowledged_at", "acknowledged_by"}
"""Of a market buy: only a limit order has a price, only a sell a volume, and nothing went wrong."""
SHOWN_ELSEWHERE = {"created_at", *OrderAdmin.exclude}
"""Not a field of the form: in the tables above it."""
NOT_SHOWN = {"id", "updated_at"}


def test_filled_order_has_a_value_in_every_column(trader):
    trader.venue.place("KRW-BTC", "bid", 50_000)  # external coins, or `coin_before` would be 0
    trader.wait(1)
    trader.see_prices()
    order = trader.act(trader.signal())
    order.refresh_from_db()

    columns = [field for field in Order._meta.concrete_fields if field.name not in {"checks", "clamps"}]
    empty = {field.name for field in columns if getattr(order, field.attname) in (None, "", 0)}
    assert order.state == "DONE"
    assert empty == EMPTY_WHEN_FILLED


def test_order_page_shows_every_field(admin_client):
    order = bought("KRW-BTC", (150_000_000, "0.001"), at=NOON)

    page = admin_client.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()

    columns = {field.name for field in Order._meta.concrete_fields} - SHOWN_ELSEWHERE - NOT_SHOWN
    assert columns - set(re.findall(r"field-(\w+)", page)) == set()
