"""Unknown markets: buys are blocked exactly while too little is known."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.marketdata.feed import NOON, TEN_S, poll_times, record_polls, record_price, watched
from tradingsite.marketdata.models import Ticker
from tradingsite.risk.models import Halt
from tradingsite.risk.volatility import VolatilityLimits, check_limits

pytestmark = pytest.mark.django_db

BTC = "KRW-BTC"
LIMITS = VolatilityLimits(markets=(BTC,), threshold_pct=Decimal(3), cooldown=timedelta(minutes=15))


def check(at=NOON):
    return check_limits(LIMITS, at)


@pytest.mark.parametrize(("polls", "unknown"), [(23, 1), (24, 0)])
def test_under_80_percent_of_polls_blocks_buys(polls, unknown):
    watched(BTC, "100", polls=polls)

    assert check()["unknown"] == unknown
    assert Halt.objects.blocking(BTC).count() == unknown


@pytest.mark.parametrize(("age_s", "unknown"), [(30, 0), (31, 1)])
def test_market_last_seen_over_30_seconds_ago_blocks_buys(age_s, unknown):
    record_polls(BTC, times=poll_times())
    record_price(BTC, "100", NOON - timedelta(hours=1), NOON - timedelta(seconds=age_s))

    assert check()["unknown"] == unknown


def test_unknown_halt_has_its_reason_and_no_cooldown():
    watched(BTC, "100", polls=6)

    check()

    halt = Halt.objects.get()
    assert (halt.kind, halt.market, halt.until, halt.made_by) == ("unknown", BTC, None, "check_volatility")
    assert (halt.reason, halt.polls, halt.seen_age_s) == ("6 of 30 polls in 5 min, 24 needed", 6, 5)


def test_unknown_halt_stays_one_and_updates_its_reason():
    check()
    assert Halt.objects.get().reason == "no price yet"
    watched(BTC, "100", at=NOON + timedelta(minutes=1), polls=6)

    check(NOON + timedelta(minutes=1))

    halt = Halt.objects.get()
    assert (halt.started_at, halt.reason) == (NOON, "6 of 30 polls in 5 min, 24 needed")


def test_unknown_halt_ends_when_the_market_is_known():
    check(NOON - timedelta(seconds=30))
    watched(BTC, "100")

    assert check()["ended"] == 1
    assert Halt.objects.get().ended_at == NOON
    assert not Halt.objects.blocking(BTC)


def test_market_is_known_five_minutes_after_a_fresh_start():
    started = NOON - timedelta(minutes=5)
    states = []
    for half_minute in range(11):
        at = started + timedelta(seconds=30 * half_minute)
        states.append(check(at)["unknown"])
        times = [at + TEN_S * number for number in range(3)]
        record_polls(BTC, times=times)
        record_price(BTC, "100", times[0], times[-1])

    assert states == [1] * 8 + [0] * 3
    assert not Halt.objects.open().exists()
    assert Halt.objects.count() == 1


def test_market_is_unknown_after_an_outage_until_enough_polls():
    watched(BTC, "100", at=NOON - timedelta(minutes=10))
    assert check()["unknown"] == 1
    assert Halt.objects.get().reason == "last seen 605 s ago, limit 30 s"

    Ticker.objects.all().delete()
    watched(BTC, "100", at=NOON + timedelta(minutes=4), polls=24)

    assert check(NOON + timedelta(minutes=4)) == {
        "markets": 1,
        "begun": 0,
        "ended": 1,
        "volatile": 0,
        "unknown": 0,
    }
