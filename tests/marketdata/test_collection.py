"""Collection over real HTTP: one request, one row a trade time, implausible answers."""

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connections
from django.urls import reverse
from structlog.testing import capture_logs

from tests.clients.peer import FakeClock
from tests.marketdata.exchange import error, exchange, listing, ticker
from tests.marketdata.feed import NOON, TEN_S
from tradingsite.clients.errors import InvalidResponse, NotFound, Rejected, Unreachable
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.marketdata.collection import FETCH_WITHIN_S, collect
from tradingsite.marketdata.models import Poll, Ticker

pytestmark = pytest.mark.django_db

BTC, ETH, XRP = "KRW-BTC", "KRW-ETH", "KRW-XRP"
TRADED = NOON - timedelta(seconds=2)


@contextmanager
def quoting(*tickers, listed=(BTC, ETH, XRP)):
    """An exchange that knows the `listed` markets and returns the requested ones of `tickers`."""

    def answer(path, markets):
        if path == "/v1/market/all":
            return 200, [listing(market) for market in listed]
        if not set(markets) <= set(listed):
            return error(404, "Code not found")
        return 200, [each for each in tickers if each["market"] in markets]

    with exchange(answer) as serving:
        yield serving, UpbitClient(serving.url, retries=0)


def test_all_markets_are_stored_from_one_request_with_one_poll():
    with quoting(ticker(BTC, 148601000, TRADED), ticker(ETH, 0.00001234, TRADED)) as (serving, client):
        counts = collect(client, [BTC, ETH], NOON)

    assert counts == {"markets": 2, "stored": 2, "repeated": 0, "missing": 0, "refused": 0}
    assert serving.paths == ["/v1/ticker"]
    rows = Ticker.objects.order_by("market").values_list(
        "market", "price", "traded_at", "first_seen_at", "last_seen_at"
    )
    assert list(rows) == [
        (BTC, Decimal(148601000), TRADED, NOON, NOON),
        (ETH, Decimal("0.00001234"), TRADED, NOON, NOON),
    ]
    assert list(Poll.objects.values_list("polled_at", "markets")) == [(NOON, [BTC, ETH])]


def test_repeated_trade_time_updates_last_seen_of_its_row():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        collect(client, [BTC], NOON)
        counts = collect(client, [BTC], NOON + TEN_S)

    row = Ticker.objects.get()
    assert (row.traded_at, row.first_seen_at, row.last_seen_at) == (TRADED, NOON, NOON + TEN_S)
    assert (counts["stored"], counts["repeated"]) == (0, 1)
    assert Poll.objects.count() == 2


def test_collecting_the_same_moment_twice_changes_nothing():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        first = collect(client, [BTC], NOON)
        before = [*Ticker.objects.values_list(), *Poll.objects.values_list()]

        assert collect(client, [BTC], NOON) == first
        assert [*Ticker.objects.values_list(), *Poll.objects.values_list()] == before


def test_answers_of_one_moment_share_one_poll():
    with quoting(ticker(BTC, 100, TRADED), ticker(ETH, 5, TRADED)) as (_, client):
        collect(client, [ETH], NOON)
        collect(client, [BTC], NOON)

    assert Poll.objects.get().markets == [BTC, ETH]


def test_delayed_run_does_not_move_last_seen_back():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        collect(client, [BTC], NOON + TEN_S)
        collect(client, [BTC], NOON)

    assert Ticker.objects.get().last_seen_at == NOON + TEN_S


def test_later_poll_decides_between_prices_of_one_trade_time():
    with quoting(ticker(BTC, 100, TRADED)) as (_, early), quoting(ticker(BTC, 101, TRADED)) as (_, late):
        collect(early, [BTC], NOON)
        collect(late, [BTC], NOON + TEN_S)
        assert Ticker.objects.get().price == 101

        collect(early, [BTC], NOON)
        assert Ticker.objects.get().price == 101


def test_unknown_market_does_not_block_the_others():
    with quoting(ticker(BTC, 100, TRADED), listed=[BTC]) as (serving, client), capture_logs() as logs:
        counts = collect(client, [BTC, "KRW-NONE"], NOON)

    assert (counts["stored"], counts["missing"]) == (1, 1)
    assert serving.paths == ["/v1/ticker", "/v1/market/all", "/v1/ticker"]
    assert {"event": "collect.unknown_markets", "markets": ["KRW-NONE"], "log_level": "warning"} in logs
    assert Poll.objects.get().markets == [BTC]


def test_three_requests_for_an_unknown_market_share_one_time_limit():
    class Watched(UpbitClient):
        """Records the time limit of each request."""

        given_s: list[float] = []

        def tickers(self, markets, *, within_s=None):
            self.given_s.append(within_s)
            return super().tickers(markets, within_s=within_s)

        def markets(self, *, within_s=None):
            self.given_s.append(within_s)
            return super().markets(within_s=within_s)

    with quoting(ticker(BTC, 100, TRADED), listed=[BTC]) as (serving, _):
        client = Watched(serving.url, retries=0)
        collect(client, [BTC, "KRW-NONE"], NOON)

    first, second, third = client.given_s
    assert FETCH_WITHIN_S >= first > second > third > 0


def test_poll_is_empty_when_no_market_exists():
    with quoting(listed=[BTC]) as (serving, client):
        counts = collect(client, ["KRW-NONE"], NOON)

    assert counts == {"markets": 1, "stored": 0, "repeated": 0, "missing": 1, "refused": 0}
    assert serving.paths == ["/v1/ticker", "/v1/market/all"]
    assert Poll.objects.get().markets == []


def test_not_found_without_an_unknown_market_is_raised():
    def answer(path, _markets):
        return (200, [listing(BTC)]) if path == "/v1/market/all" else error(404)

    with exchange(answer) as serving, pytest.raises(NotFound):
        collect(UpbitClient(serving.url, retries=0), [BTC], NOON)

    assert serving.paths == ["/v1/ticker", "/v1/market/all"]
    assert not Poll.objects.exists()


def test_any_other_refusal_is_raised_at_once():
    with exchange(lambda _path, _markets: error(400)) as serving, pytest.raises(Rejected):
        collect(UpbitClient(serving.url, retries=0), [BTC], NOON)

    assert serving.paths == ["/v1/ticker"]


def test_market_missing_from_the_answer_is_counted_and_not_in_the_poll():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client), capture_logs() as logs:
        counts = collect(client, [BTC, ETH], NOON)

    assert (counts["stored"], counts["missing"]) == (1, 1)
    assert {"event": "collect.missing", "markets": [ETH], "log_level": "warning"} in logs
    assert Poll.objects.get().markets == [BTC]


def test_unrequested_market_is_not_stored():
    with exchange(lambda *_: (200, [ticker(BTC, 100, TRADED), ticker(ETH, 5, TRADED)])) as serving:
        counts = collect(UpbitClient(serving.url, retries=0), [BTC], NOON)

    assert counts["stored"] == 1
    assert Ticker.objects.get().market == BTC


@pytest.mark.parametrize(
    ("price", "traded_at"),
    [
        (100, NOON + timedelta(seconds=61)),
        (100, NOON + timedelta(days=400)),
        (1e12, TRADED),
        (1e-9, TRADED),
    ],
    ids=["over a minute ahead", "next year", "too large a price", "too small a price"],
)
def test_implausible_ticker_is_refused_and_the_rest_is_stored(price, traded_at):
    with (
        quoting(ticker(BTC, 100, TRADED), ticker(ETH, price, traded_at)) as (_, client),
        capture_logs() as logs,
    ):
        counts = collect(client, [BTC, ETH], NOON)

    assert (counts["stored"], counts["refused"], counts["missing"]) == (1, 1, 0)
    assert [log["market"] for log in logs if log["event"] == "collect.refused"] == [ETH]
    assert Poll.objects.get().markets == [BTC]


def test_exchange_clock_may_be_a_minute_ahead():
    with quoting(ticker(BTC, 100, NOON + timedelta(seconds=60))) as (_, client):
        assert collect(client, [BTC], NOON)["stored"] == 1


@pytest.mark.parametrize("price", [0, -1])
def test_impossible_price_raises_and_stores_nothing(price):
    with quoting(ticker(BTC, price, TRADED)) as (_, client), pytest.raises(InvalidResponse):
        collect(client, [BTC], NOON)

    assert not Ticker.objects.exists()
    assert not Poll.objects.exists()


def test_unreachable_exchange_stores_nothing():
    with quoting() as (_, client):
        pass

    with pytest.raises(Unreachable):
        collect(client, [BTC], NOON)
    assert not Poll.objects.exists()


def test_250_markets_take_two_statements(django_assert_num_queries):
    markets = [f"KRW-C{number:03}" for number in range(250)]
    tickers = [ticker(market, 100, TRADED) for market in markets]

    # savepoint, tickers, poll, release
    with quoting(*tickers, listed=markets) as (_, client), django_assert_num_queries(4):
        counts = collect(client, markets, NOON)

    assert counts["stored"] == 250


@pytest.mark.django_db(transaction=True)
def test_concurrent_collections_make_one_row_a_market_without_deadlock():
    markets = [f"KRW-C{number:03}" for number in range(250)]
    failures: list[Exception] = []

    class InStep(UpbitClient):
        """Returns the answer when both collections have theirs, so that they store at the same time."""

        both = Barrier(2)

        def tickers(self, markets, *, within_s=None):
            answers = super().tickers(markets, within_s=within_s)
            self.both.wait(timeout=60)
            return answers

    clock = FakeClock().clock  # on which a pause for the rate limit takes no time

    def run(order):
        try:
            client = InStep(serving.url, retries=0, clock=clock)
            for number in range(5):
                collect(client, order, NOON + number * TEN_S)
        except Exception as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        finally:
            connections.close_all()

    with quoting(*[ticker(market, 100, TRADED) for market in markets], listed=markets) as (serving, _):
        threads = [Thread(target=run, args=(order,)) for order in (markets, markets[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
    assert Ticker.objects.count() == 250
    assert Poll.objects.count() == 5


def test_polls_are_read_only_in_admin(admin_client):
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        collect(client, [BTC], NOON)

    shown = admin_client.get(reverse("admin:marketdata_poll_changelist")).content.decode()

    assert BTC in shown
    assert admin_client.get(reverse("admin:marketdata_poll_add")).status_code == 403
    assert str(Poll.objects.get()) == "2026-01-05 12:00:05"
    assert str(Ticker.objects.get()) == "KRW-BTC 100"
