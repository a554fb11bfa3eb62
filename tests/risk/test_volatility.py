"""Volatility halts: when they begin, what keeps them open, when they end."""

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


def after(*prices, at=NOON, market=BTC, limits=LIMITS, polls=30):
    """Forget all market data, let the market go through `prices` in the last five minutes, and check."""
    Ticker.objects.all().delete()
    Poll.objects.all().delete()
    watched(market, *prices, at=at, polls=polls)
    return check(at, limits)


def the_halt(kind=Halt.Kind.VOLATILITY) -> Halt:
    return Halt.objects.get(kind=kind)


@pytest.mark.parametrize("prices", [("100", "103"), ("103", "100"), ("101", "103", "100", "102")])
def test_a_move_of_the_threshold_up_or_down_halts_the_market_with_its_numbers(prices):
    counts = after(*prices)

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


def test_a_move_below_the_threshold_halts_nothing():
    counts = after("100", "102.9999")

    assert not Halt.objects.exists()
    assert counts == {"markets": 1, "begun": 0, "ended": 0, "volatile": 0, "unknown": 0}


def test_the_reason_names_move_and_limit():
    after("100", "103.4", limits=VolatilityLimits((BTC,), Decimal("2.5"), COOLDOWN))

    assert the_halt().reason == "moved 3.4 % in 5 min, limit 2.5 %"


def test_the_reason_is_stored_in_english_whatever_language_is_active():
    with translation.override("ko"):
        after("100", "104")

    assert the_halt().reason == "moved 4 % in 5 min, limit 3 %"


def test_the_cool_down_begins_anew_while_the_market_moves_60_per_cent_of_the_threshold():
    after("100", "104")
    later = NOON + 5 * MINUTE

    after("100", "101.8", at=later)

    halt = the_halt()
    assert halt.until == later + COOLDOWN
    assert halt.started_at == NOON
    assert (halt.move_pct, halt.reason) == (Decimal(4), "moved 4 % in 5 min, limit 3 %")


def test_the_cool_down_goes_on_while_the_market_moves_59_per_cent_of_the_threshold():
    after("100", "104")

    after("100", "101.77", at=NOON + 5 * MINUTE)

    assert the_halt().until == NOON + COOLDOWN


def calm_until(end, start=NOON):
    at = start
    while at < end:
        at = min(at + 4 * MINUTE, end)
        counts = after("100", "101", at=at)
    return counts


def test_a_market_calm_for_the_whole_cool_down_is_free_again():
    after("100", "104")

    calm_until(NOON + COOLDOWN - timedelta(seconds=30))
    assert the_halt().ended_at is None
    counts = calm_until(NOON + COOLDOWN, start=NOON + COOLDOWN - timedelta(seconds=30))

    halt = the_halt()
    assert (halt.ended_at, halt.ended_by) == (NOON + COOLDOWN, "check_volatility")
    assert counts == {"markets": 1, "begun": 0, "ended": 1, "volatile": 0, "unknown": 0}
    assert not Halt.objects.blocking(BTC)


def test_a_halt_past_its_end_blocks_until_a_check_has_ended_it():
    after("100", "104")

    assert Halt.objects.blocking(BTC).filter(until__lte=NOON + COOLDOWN).exists()


def test_a_higher_peak_updates_the_numbers_of_the_same_halt():
    after("100", "104")

    after("98", "104.86", at=NOON + MINUTE, limits=VolatilityLimits((BTC,), Decimal("3.5"), COOLDOWN))

    halt = the_halt()
    numbers = [halt.low, halt.high, halt.move_pct, halt.threshold_pct]
    assert numbers == [98, Decimal("104.86"), 7, Decimal("3.5")]
    assert halt.reason == "moved 7 % in 5 min, limit 3.5 %"
    assert halt.until == NOON + MINUTE + COOLDOWN


def test_a_new_move_after_the_end_is_a_halt_of_its_own():
    after("100", "104")
    calm_until(NOON + COOLDOWN)

    after("100", "104", at=NOON + 20 * MINUTE)

    assert Halt.objects.count() == 2
    assert Halt.objects.open().count() == 1


def test_minutes_without_knowledge_are_not_calm_minutes():
    after("100", "104")
    calm_until(NOON + 14 * MINUTE)

    after("100", at=NOON + COOLDOWN, polls=23)

    assert the_halt().until == NOON + 2 * COOLDOWN
    assert the_halt(Halt.Kind.UNKNOWN).ended_at is None


def test_minutes_that_no_check_has_looked_at_are_not_calm_minutes():
    after("100", "104")

    after("100", at=NOON + 20 * MINUTE)

    halt = the_halt()
    assert (halt.ended_at, halt.until) == (None, NOON + 35 * MINUTE)


def test_a_move_proven_by_too_few_polls_is_a_move_all_the_same():
    counts = after("100", "104", polls=6)

    assert (counts["volatile"], counts["unknown"]) == (1, 1)


def test_a_check_that_was_held_up_leaves_what_a_later_one_found():
    after("100", "104", at=NOON + MINUTE)
    before = list(Halt.objects.values())

    counts = after("100", at=NOON)

    assert list(Halt.objects.values()) == before
    assert counts["volatile"] == 1


BOTH = VolatilityLimits((BTC, ETH), Decimal(3), COOLDOWN)


def test_a_market_that_is_no_longer_configured_is_no_longer_unknown():
    check(limits=BOTH)
    operators = Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")

    counts = check(NOON + MINUTE)

    ended = Halt.objects.get(market=ETH)
    assert (ended.ended_at, ended.ended_by) == (NOON + MINUTE, "check_volatility")
    assert counts["ended"] == 1
    assert set(Halt.objects.open()) == {operators, Halt.objects.get(market=BTC)}


def test_taking_a_market_out_does_not_shorten_its_cool_down():
    after("100", "104", market=ETH, limits=BOTH)
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


def test_a_market_that_comes_back_during_its_cool_down_begins_it_anew():
    after("100", "104", market=ETH, limits=BOTH)
    check(NOON + 6 * MINUTE)
    back = NOON + 14 * MINUTE

    after("100", market=ETH, at=back, limits=BOTH)

    assert (the_halt().ended_at, the_halt().until) == (None, back + COOLDOWN)


def test_an_operators_halt_is_never_touched():
    halt = Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")
    before = Halt.objects.filter(pk=halt.pk).values().get()

    after("100", "104")
    calm_until(NOON + COOLDOWN)

    assert Halt.objects.filter(pk=halt.pk).values().get() == before
    assert list(Halt.objects.blocking(BTC)) == [halt]


def test_each_market_is_judged_by_its_own_prices():
    watched(BTC, "100", "104")
    record_price(ETH, "5", NOON - MINUTE, NOON)
    Poll.objects.update(markets=[BTC, ETH])

    counts = check(limits=VolatilityLimits((BTC, ETH), Decimal(3), COOLDOWN))

    assert counts == {"markets": 2, "begun": 1, "ended": 0, "volatile": 1, "unknown": 0}


def test_a_check_takes_as_many_statements_for_fifty_markets_as_for_one(django_assert_num_queries):
    many = VolatilityLimits(tuple(f"KRW-C{number}" for number in range(50)), Decimal(3), COOLDOWN)
    check(limits=many)

    # savepoint, lock, halts, windows, one update of all, release
    with django_assert_num_queries(6):
        check(NOON + MINUTE, limits=many)

    assert Halt.objects.count() == 50


def test_the_limits_in_force_are_those_of_the_configuration():
    SystemConfig.objects.set_values({"volatility_threshold_pct": "5", "volatility_cooldown_min": "2"})
    watched(BTC, "100", "104.9")
    assert volatility.check(SystemConfig.objects.snapshot(), NOON)["volatile"] == 0

    SystemConfig.objects.set_value("volatility_threshold_pct", "4.9")
    volatility.check(SystemConfig.objects.snapshot(), NOON)

    assert the_halt().until == NOON + 2 * MINUTE


@pytest.mark.django_db(transaction=True)
def test_two_checks_at_once_make_one_halt():
    watched(BTC, "100", "104")
    start, failures = Barrier(2), []

    def run():
        try:
            start.wait(timeout=10)
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
