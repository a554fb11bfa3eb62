"""Metrics of active orders and of those of the last 24 hours."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.orders.book import placed
from tradingsite.orders.metrics import families
from tradingsite.orders.models import Order

pytestmark = pytest.mark.django_db


def scraped():
    """Return the samples as the strict parser of the format reads them."""

    class Source:
        def collect(self):
            return families()

    registry = CollectorRegistry()
    registry.register(Source())
    text = generate_latest(registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_have_active_orders_by_state_and_the_oldest_age():
    placed(identifier="a-1", state="UNKNOWN", market="KRW-BTC")
    placed(identifier="a-2", state="OPEN", market="KRW-ETH")
    placed(identifier="a-3", state="DONE", market="KRW-XRP")
    Order.objects.filter(identifier="a-1").update(created_at=Now() - timedelta(minutes=7))

    found = scraped()

    assert found["orders_active", "UNKNOWN"] == found["orders_active", "OPEN"] == 1
    assert found["orders_active", "PARTIAL"] == 0
    assert 420 <= found["orders_oldest_active_age_seconds",] < 480


def test_metrics_count_orders_of_the_last_day_by_side_and_state(django_assert_num_queries):
    placed(identifier="a-1", state="DONE")
    placed(identifier="a-2", state="DONE", side="ask", ord_type="market", funds=None, volume=1)
    placed(identifier="a-3", state="REJECTED")
    placed(identifier="a-4", state="DONE")
    Order.objects.filter(identifier="a-4").update(created_at=Now() - timedelta(hours=25))

    with django_assert_num_queries(2):
        found = scraped()

    assert found["orders_last_day", "bid", "DONE"] == found["orders_last_day", "ask", "DONE"] == 1
    assert found["orders_last_day", "bid", "REJECTED"] == 1
    assert found["orders_last_day", "ask", "REJECTED"] == 0


def test_metrics_without_orders_are_zero():
    assert scraped()["orders_oldest_active_age_seconds",] == 0
