"""Retention of market data: what is deleted, what is kept, in batches."""

from datetime import timedelta
from threading import Event

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.marketdata.feed import NOON, record_polls, record_price
from tradingsite.batches import delete_in_batches
from tradingsite.marketdata.models import Poll, Ticker
from tradingsite.marketdata.retention import delete_before

BTC, ETH = "KRW-BTC", "KRW-ETH"
SECOND = timedelta(seconds=1)


class AfterLooks(Event):
    """Set from the call of `is_set` after `looks` calls."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def old_polls(count: int) -> None:
    record_polls(BTC, times=[NOON - number * SECOND for number in range(count)])


@pytest.mark.django_db
def test_only_rows_last_seen_before_the_cutoff_are_deleted():
    for market in (BTC, ETH):
        record_price(market, "100", NOON - 3 * SECOND, NOON - SECOND)
        record_price(market, "101", NOON - 2 * SECOND, NOON)
    record_polls(BTC, times=[NOON - SECOND, NOON, NOON + SECOND])

    counts = delete_before(NOON, stop=None)

    assert counts == {"ticker": 2, "poll": 1}
    assert set(Ticker.objects.values_list("price", flat=True)) == {101}
    assert Poll.objects.earliest().polled_at == NOON
    assert delete_before(NOON) == {"ticker": 0, "poll": 0}


@pytest.mark.django_db
def test_price_in_force_is_kept_at_any_trade_age():
    record_price(BTC, "100", NOON - timedelta(days=900), NOON)

    assert delete_before(NOON)["ticker"] == 0


@pytest.mark.django_db
def test_rows_are_deleted_in_batches():
    old_polls(5)

    with CaptureQueriesContext(connection) as queries:
        deleted = delete_in_batches(Poll.objects.all(), batch_rows=2)

    assert deleted == 5
    assert sum("DELETE FROM" in query["sql"] for query in queries) == 3


@pytest.mark.django_db(transaction=True)
def test_each_batch_has_its_own_transaction():
    old_polls(3)

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        delete_in_batches(Poll.objects.all())
    assert Poll.objects.count() == 3


@pytest.mark.django_db
def test_stop_between_batches_leaves_the_rest_for_the_next_run():
    old_polls(5)

    assert delete_in_batches(Poll.objects.all(), batch_rows=2, stop=AfterLooks(1)) == 2
    assert delete_before(NOON + SECOND, stop=AfterLooks(0)) == {"ticker": 0, "poll": 0}
    assert delete_before(NOON + SECOND, stop=Event()) == {"ticker": 0, "poll": 3}
