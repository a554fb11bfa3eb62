"""Five-minute windows: which prices and polls count, and when a market is known."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from tests.marketdata.feed import NOON, poll_times, record_polls, record_price, watched
from tradingsite.marketdata.windows import Window, read_windows, unknown_reason

pytestmark = pytest.mark.django_db

BTC = "KRW-BTC"


def window(market: str = BTC, at=NOON) -> Window:
    return read_windows([market], at)[0]


def test_market_polled_for_five_minutes_is_known_with_low_and_high():
    watched(BTC, "100", "104", "98.5")

    found = window()

    assert (found.low, found.high, found.price) == (Decimal("98.5"), Decimal(104), Decimal("98.5"))
    assert (found.polls, found.seen_age_s, found.known, found.why_unknown) == (30, 5, True, "")
    assert found.shown_price == "98.5"


def test_price_in_force_counts_at_any_trade_age():
    record_price(BTC, "100", NOON - timedelta(days=3), NOON - timedelta(minutes=4, seconds=59))
    record_price(BTC, "90", NOON - timedelta(days=4), NOON - timedelta(minutes=5))
    record_price(BTC, "110", NOON - timedelta(seconds=5))

    found = window()

    assert (found.low, found.high) == (Decimal(100), Decimal(110))


@pytest.mark.parametrize(("polls", "known"), [(24, True), (23, False)])
def test_market_is_known_from_80_percent_of_its_polls(polls, known):
    watched(BTC, "100", polls=polls)

    found = window()

    assert found.known is known
    assert found.why_unknown == ("" if known else "23 of 30 polls in 5 min, 24 needed")


def test_polls_of_one_ten_second_slot_count_once():
    times = poll_times(count=23)
    record_polls(BTC, times=times)
    record_polls(BTC, times=[time + timedelta(seconds=number) for time in times[:5] for number in (1, 9)])
    record_price(BTC, "100", times[0], times[-1])

    assert window().polls == 23


def test_poll_without_the_market_does_not_count_for_it():
    watched(BTC, "100")
    record_polls("KRW-ETH", times=[time + timedelta(seconds=1) for time in poll_times(count=7)])

    by_market = {found.market: found for found in read_windows(["KRW-ETH", BTC], NOON)}

    assert [*by_market] == ["KRW-ETH", BTC]
    assert by_market["KRW-ETH"].polls == 7
    assert by_market[BTC].polls == 30


@pytest.mark.parametrize(
    ("age_s", "known"), [(30, True), (30.001, False), (31, False), (3600, False), (-1, True)]
)
def test_market_last_seen_over_30_seconds_ago_is_unknown(age_s, known):
    record_polls(BTC, times=poll_times())
    record_price(BTC, "100", NOON - timedelta(hours=2), NOON - timedelta(seconds=age_s))

    found = window()

    assert found.known is known
    assert found.seen_age_s == max(0, -(-age_s // 1))
    assert known or found.why_unknown == f"last seen {found.seen_age_s} s ago, limit 30 s"


def test_market_never_seen_is_unknown_without_numbers():
    found = window()

    assert found == Window(BTC, NOON, polls=0)
    assert (found.known, found.why_unknown, found.move_pct, found.shown_price) == (
        False,
        "no price yet",
        None,
        "",
    )


def test_delayed_check_ignores_later_prices_and_polls():
    watched(BTC, "100")
    record_price(BTC, "200", NOON + timedelta(seconds=5))
    record_polls(BTC, times=[NOON + timedelta(seconds=5)])

    found = window()

    assert (found.high, found.price, found.polls) == (Decimal(100), Decimal(100), 30)


def test_all_windows_take_one_query(django_assert_num_queries):
    markets = [f"KRW-C{number}" for number in range(50)]

    with django_assert_num_queries(1):
        found = read_windows(markets, NOON)

    assert [each.market for each in found] == markets


def test_reason_for_an_unknown_market_is_translated():
    with translation.override("en"):
        assert unknown_reason(3, 31) == "last seen 31 s ago, limit 30 s"
        assert unknown_reason(3, None) == "no price yet"
