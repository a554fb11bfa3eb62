"""A setting changed in admin decides what the next job does."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sysconfig.models import SystemConfig
from tests.sysconfig.admin_pages.admin_desk import change
from tradingsite.jobs import tasks
from tradingsite.marketdata.models import Poll, Ticker
from tradingsite.risk.models import Halt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def five_minutes_of_prices():
    """KRW-BTC moved by 2 % in the last five minutes, and every poll saw it."""
    now = timezone.now()
    for number in range(30):
        at = now - timedelta(seconds=10 * number)
        price = 100 if number % 2 else 102
        Poll.objects.create(polled_at=at, markets=["KRW-BTC"])
        Ticker.objects.create(market="KRW-BTC", traded_at=at, price=price, first_seen_at=at, last_seen_at=at)


@pytest.mark.usefixtures("five_minutes_of_prices")
def test_threshold_changed_in_admin_is_used_by_the_next_check(admin_client):
    tasks.check_volatility(timezone.now())
    assert not Halt.objects.blocking("KRW-BTC").exists()

    change(admin_client, "volatility_threshold_pct", "1.5")
    tasks.check_volatility(timezone.now())

    halt = Halt.objects.blocking("KRW-BTC").get()
    assert halt.kind == Halt.Kind.VOLATILITY
    assert halt.reason == "moved 2 % in 5 min, limit 1.5 %"
    assert halt.until == halt.started_at + timedelta(minutes=15)


@pytest.mark.usefixtures("five_minutes_of_prices")
def test_unreadable_limit_fails_the_check_instead_of_using_a_default():
    SystemConfig.objects.filter(key="volatility_threshold_pct").update(value="three")

    with pytest.raises(Exception, match="volatility_threshold_pct holds 'three'"):
        tasks.check_volatility(timezone.now())
