"""Market data as a healthy collection would have left it, for tests that only read it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tradingsite.marketdata.models import Poll, Ticker

NOON = datetime(2026, 1, 5, 12, 0, 5, tzinfo=UTC)
"""When the check runs: five seconds after a poll, as in the timetable."""
TEN_S = timedelta(seconds=10)


def poll_times(at: datetime = NOON, count: int = 30) -> list[datetime]:
    """Return the last `count` polls before `at`, oldest first."""
    newest = at.replace(second=at.second // 10 * 10, microsecond=0)
    return [newest - TEN_S * number for number in reversed(range(count))]


def record_polls(*markets: str, times: list[datetime]) -> None:
    Poll.objects.bulk_create([Poll(polled_at=time, markets=list(markets)) for time in times])


def record_price(market: str, price: str, first: datetime, last: datetime | None = None) -> None:
    Ticker.objects.create(
        market=market, price=Decimal(price), traded_at=first, first_seen_at=first, last_seen_at=last or first
    )


def watched(market: str, *prices: str, at: datetime = NOON, polls: int = 30) -> None:
    """Record `polls` polls up to `at`; the market had each of `prices` for an equal share of them."""
    times = poll_times(at, polls)
    record_polls(market, times=times)
    share = len(times) // len(prices)
    for number, price in enumerate(prices):
        last = times[-1] if number == len(prices) - 1 else times[(number + 1) * share - 1]
        record_price(market, price, times[number * share], last)
