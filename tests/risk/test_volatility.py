"""Volatility halts: begin, extension and end."""

from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connections
from django.utils import translation

from sysconfig.models import SystemConfig
from tests.marketdata.feed import NOON, record_price, watched
from tradingsite.marketdata.models import Poll, Ticker
from tradingsite.risk import volatility
from tradingsite.risk.models import Halt
from tradingsite.risk.volatility import VolatilityLimits, check_limits

pytestmark = pytest.mark.django_db

BTC, ETH = "KRW-BTC", "KRW-ETH"
MINUTE = timedelta(minutes=1)
COOLDOWN = 15 * MINUTE
LIMITS = VolatilityLimits(markets=(BTC,), threshold_pct=Decimal(3), cooldown=COOLDOWN)


def check(at=NOON, limits=LIMITS):
    return check_limits(limits, at)


def check_after(*prices, at=NOON, market=BTC, limits=LIMITS, polls=30):
    """Replace all market data by `prices` in the last five minutes, and check."""
    Ticker.objects.all().delete()
    Poll.objects.all().delete()
    watched(market, *prices, at=at, polls=polls)
    return check(at, limits)


def the_halt(kind=Halt.Kind.VOLATILITY) -> Halt:
    return Halt.objects.get(kind=kind)


@pytest.mark.parametrize("prices", [("100", "103"), ("103", "100"), ("101", "103", "100", "102")])
def test_move_of_the_threshold_halts_the_market(prices):
    counts = check_after(*prices)

    halt = the_halt()
    assert (halt.market, halt.made_by, halt.started_at, halt.ended_at) == (
        BTC,
        "check_volatility",
        NOON,
        None,
    )
    assert [halt.low, halt.high, halt.move_pct, halt.threshold_pct] == [100, 103, 3, 3]
    assert halt.until == NOON + COOLDOWN
    assert halt.reason == "moved 3 % in 5 min, limit 3 %"
    assert counts == {"markets": 1, "begun": 1, "ended": 0, "volatile": 1, "unknown": 0}
    assert list(Halt.objects.blocking(BTC)) == [halt]
    assert not Halt.objects.blocking(ETH)


def test_move_below_the_threshold_halts_nothing():
    counts = check_after("100", "102.9999")

    assert not Halt.objects.exists()
    assert counts == {"markets": 1, "begun": 0, "ended": 0, "volatile": 0, "unknown": 0}


def test_reason_has_move_and_limit():
    check_after("100", "103.4", limits=VolatilityLimits((BTC,), Decimal("2.5"), COOLDOWN))

    assert the_halt().reason == "moved 3.4 % in 5 min, limit 2.5 %"


def test_reason_is_stored_in_english():
    with translation.override("ko"):
        check_after("100", "104")

    assert the_halt().reason == "moved 4 % in 5 min, limit 3 %"


def test_cooldown_restarts_at_60_percent_of_the_threshold():
    check_after("100", "104")
    later = NOON + 5 * MINUTE

    check_after("100", "101.8", at=later)

    halt = the_halt()
    assert halt.until == later + COOLDOWN
    assert halt.started_at == NOON
    assert (halt.move_pct, halt.reason) == (Decimal(4), "moved 4 % in 5 min, limit 3 %")


def test_cooldown_continues_at_59_percent_of_the_threshold():
    check_after("100", "104")

    check_after("100", "101.77", at=NOON + 5 * MINUTE)

    assert the_halt().until == NOON + COOLDOWN


def calm_until(end, start=NOON):
    at = start
    while at < end:
        at = min(at + 4 * MINUTE, end)
        counts = check_after("100", "101", at=at)
    return counts


def test_halt_ends_after_a_calm_cooldown():
    check_after("100", "104")

    calm_until(NOON + COOLDOWN - timedelta(seconds=30))
    assert the_halt().ended_at is None
    counts = calm_until(NOON + COOLDOWN, start=NOON + COOLDOWN - timedelta(seconds=30))

    halt = the_halt()
    assert (halt.ended_at, halt.ended_by) == (NOON + COOLDOWN, "check_volatility")
    assert counts == {"markets": 1, "begun": 0, "ended": 1, "volatile": 0, "unknown": 0}
    assert not Halt.objects.blocking(BTC)


def test_halt_past_its_end_blocks_until_a_check_ends_it():
    check_after("100", "104")

    assert Halt.objects.blocking(BTC).filter(until__lte=NOON + COOLDOWN).exists()


def test_higher_peak_updates_the_open_halt():
    check_after("100", "104")

    check_after("98", "104.86", at=NOON + MINUTE, limits=VolatilityLimits((BTC,), Decimal("3.5"), COOLDOWN))

    halt = the_halt()
    numbers = [halt.low, halt.high, halt.move_pct, halt.threshold_pct]
    assert numbers == [98, Decimal("104.86"), 7, Decimal("3.5")]
    assert halt.reason == "moved 7 % in 5 min, limit 3.5 %"
    assert halt.until == NOON + MINUTE + COOLDOWN


def test_move_after_the_end_makes_a_new_halt():
    check_after("100", "104")
    calm_until(NOON + COOLDOWN)

    check_after("100", "104", at=NOON + 20 * MINUTE)

    assert Halt.objects.count() == 2
    assert Halt.objects.open().count() == 1


def test_unknown_minutes_do_not_count_as_calm():
    check_after("100", "104")
    calm_until(NOON + 14 * MINUTE)

    check_after("100", at=NOON + COOLDOWN, polls=23)

    assert the_halt().until == NOON + 2 * COOLDOWN
    assert the_halt(Halt.Kind.UNKNOWN).ended_at is None


def test_unchecked_minutes_do_not_count_as_calm():
    check_after("100", "104")

    check_after("100", at=NOON + 20 * MINUTE)

    halt = the_halt()
    assert (halt.ended_at, halt.until) == (None, NOON + 35 * MINUTE)


def test_move_in_an_unknown_market_still_halts():
    counts = check_after("100", "104", polls=6)

    assert (counts["volatile"], counts["unknown"]) == (1, 1)


def test_delayed_check_does_not_change_later_results():
    check_after("100", "104", at=NOON + MINUTE)
    before = list(Halt.objects.values())

    counts = check_after("100", at=NOON)

    assert list(Halt.objects.values()) == before
    assert counts["volatile"] == 1


BOTH = VolatilityLimits((BTC, ETH), Decimal(3), COOLDOWN)


def test_removed_market_ends_its_unknown_halt():
    check(limits=BOTH)
    operators = Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")

    counts = check(NOON + MINUTE)

    ended = Halt.objects.get(market=ETH)
    assert (ended.ended_at, ended.ended_by) == (NOON + MINUTE, "check_volatility")
    assert counts["ended"] == 1
    assert set(Halt.objects.open()) == {operators, Halt.objects.get(market=BTC)}


def test_removing_a_market_does_not_shorten_its_cooldown():
    check_after("100", "104", market=ETH, limits=BOTH)
    halt = the_halt()

    assert check(NOON + COOLDOWN - timedelta(seconds=1))["volatile"] == 1
    assert list(Halt.objects.blocking(ETH)) == [halt]
    counts = check(NOON + COOLDOWN)

    halt.refresh_from_db()
    assert (halt.ended_at, halt.ended_by, halt.until) == (
        NOON + COOLDOWN,
        "check_volatility",
        NOON + COOLDOWN,
    )
    assert (counts["ended"], counts["volatile"]) == (1, 0)


def test_market_added_again_restarts_its_cooldown():
    check_after("100", "104", market=ETH, limits=BOTH)
    check(NOON + 6 * MINUTE)
    back = NOON + 14 * MINUTE

    check_after("100", market=ETH, at=back, limits=BOTH)

    assert (the_halt().ended_at, the_halt().until) == (None, back + COOLDOWN)


def test_operator_halt_is_not_changed_by_checks():
    halt = Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")
    before = Halt.objects.filter(pk=halt.pk).values().get()

    check_after("100", "104")
    calm_until(NOON + COOLDOWN)

    assert Halt.objects.filter(pk=halt.pk).values().get() == before
    assert list(Halt.objects.blocking(BTC)) == [halt]


def test_each_market_is_judged_by_its_own_prices():
    watched(BTC, "100", "104")
    record_price(ETH, "5", NOON - MINUTE, NOON)
    Poll.objects.update(markets=[BTC, ETH])

    counts = check(limits=VolatilityLimits((BTC, ETH), Decimal(3), COOLDOWN))

    assert counts == {"markets": 2, "begun": 1, "ended": 0, "volatile": 1, "unknown": 0}


def test_statement_count_is_constant_for_fifty_markets(django_assert_num_queries):
    many = VolatilityLimits(tuple(f"KRW-C{number}" for number in range(50)), Decimal(3), COOLDOWN)
    check(limits=many)

    # savepoint, lock, halts, windows, one update of all, release
    with django_assert_num_queries(6):
        check(NOON + MINUTE, limits=many)

    assert Halt.objects.count() == 50


def test_volatility_limits_come_from_the_configuration():
    SystemConfig.objects.set_values({"volatility_threshold_pct": "5", "volatility_cooldown_min": "2"})
    watched(BTC, "100", "104.9")
    assert volatility.check(SystemConfig.objects.snapshot(), NOON)["volatile"] == 0

    SystemConfig.objects.set_value("volatility_threshold_pct", "4.9")
    volatility.check(SystemConfig.objects.snapshot(), NOON)

    assert the_halt().until == NOON + 2 * MINUTE


@pytest.mark.django_db(transaction=True)
def test_concurrent_checks_make_one_halt():
    watched(BTC, "100", "104")
    start, failures = Barrier(2), []

    def run():
        try:
            start.wait(timeout=60)
            check()
        except Exception as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        finally:
            connections.close_all()

    for _ in range(5):
        threads = [Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert Halt.objects.count() == 1
        Halt.objects.all().delete()
