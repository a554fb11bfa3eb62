"""Account readings are deleted with the prices that valued them; a day's base is kept."""

from datetime import timedelta
from threading import Event

import pytest

from tests.orders.venue import NOON
from tradingsite.orders.models import AccountReading, SyncRound, TradingDay
from tradingsite.orders.retention import delete_before

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["tradingsite.orders"])


def readings(*ages_days):
    for age in ages_days:
        AccountReading.objects.create(read_at=NOON - timedelta(days=age), krw_free=1, krw_locked=0)


def test_retention_deletes_old_readings_and_keeps_days_and_rounds():
    readings(1, 9, 11, 12)
    TradingDay.objects.create(day=NOON.date() - timedelta(days=99), base_equity=1, based_at=NOON)
    SyncRound.objects.create(at=NOON - timedelta(days=99))

    assert delete_before(NOON - timedelta(days=10)) == {"account_reading": 2}

    assert AccountReading.objects.count() == 2
    assert TradingDay.objects.count() == SyncRound.objects.count() == 1


def test_retention_stops_when_the_scheduler_stops():
    readings(11)
    stop = Event()
    stop.set()

    assert delete_before(NOON, stop=stop) == {"account_reading": 0}
