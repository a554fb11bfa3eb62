"""Collection over real HTTP: one request, one row a trade time, and what an answer may not do."""

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connections
from django.urls import reverse
from structlog.testing import capture_logs

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
    """An exchange that knows the `listed` markets and answers with those of `tickers` that are asked for."""

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


def test_a_repeated_trade_time_is_one_row_whose_last_seen_moves():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        collect(client, [BTC], NOON)
        counts = collect(client, [BTC], NOON + TEN_S)

    row = Ticker.objects.get()
    assert (row.traded_at, row.first_seen_at, row.last_seen_at) == (TRADED, NOON, NOON + TEN_S)
    assert (counts["stored"], counts["repeated"]) == (0, 1)
    assert Poll.objects.count() == 2


def test_the_same_moment_twice_changes_nothing():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        first = collect(client, [BTC], NOON)
        before = [*Ticker.objects.values_list(), *Poll.objects.values_list()]

        assert collect(client, [BTC], NOON) == first
        assert [*Ticker.objects.values_list(), *Poll.objects.values_list()] == before


def test_two_answers_of_one_moment_make_one_poll_with_the_markets_of_both():
    with quoting(ticker(BTC, 100, TRADED), ticker(ETH, 5, TRADED)) as (_, client):
        collect(client, [ETH], NOON)
        collect(client, [BTC], NOON)

    assert Poll.objects.get().markets == [BTC, ETH]


def test_a_run_that_was_held_up_does_not_move_last_seen_back():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        collect(client, [BTC], NOON + TEN_S)
        collect(client, [BTC], NOON)

    assert Ticker.objects.get().last_seen_at == NOON + TEN_S


def test_of_two_prices_with_one_trade_time_the_later_poll_decides():
    with quoting(ticker(BTC, 100, TRADED)) as (_, early), quoting(ticker(BTC, 101, TRADED)) as (_, late):
        collect(early, [BTC], NOON)
        collect(late, [BTC], NOON + TEN_S)
        assert Ticker.objects.get().price == 101

        collect(early, [BTC], NOON)
        assert Ticker.objects.get().price == 101


def test_a_market_that_does_not_exist_does_not_cost_the_others_their_prices():
    with quoting(ticker(BTC, 100, TRADED), listed=[BTC]) as (serving, client), capture_logs() as logs:
        counts = collect(client, [BTC, "KRW-NONE"], NOON)

    assert (counts["stored"], counts["missing"]) == (1, 1)
    assert serving.paths == ["/v1/ticker", "/v1/market/all", "/v1/ticker"]
    assert {"event": "collect.unknown_markets", "markets": ["KRW-NONE"], "log_level": "warning"} in logs
    assert Poll.objects.get().markets == [BTC]


def test_the_three_requests_for_an_unknown_market_share_the_time_of_one():
    class Watched(UpbitClient):
        """Remembers how much time each request was given."""

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


def test_when_no_market_exists_the_poll_says_that_none_answered():
    with quoting(listed=[BTC]) as (serving, client):
        counts = collect(client, ["KRW-NONE"], NOON)

    assert counts == {"markets": 1, "stored": 0, "repeated": 0, "missing": 1, "refused": 0}
    assert serving.paths == ["/v1/ticker", "/v1/market/all"]
    assert Poll.objects.get().markets == []


def test_a_refusal_that_no_unknown_market_explains_is_raised():
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


def test_a_market_missing_from_the_answer_is_counted_and_no_part_of_the_poll():
    with quoting(ticker(BTC, 100, TRADED)) as (_, client), capture_logs() as logs:
        counts = collect(client, [BTC, ETH], NOON)

    assert (counts["stored"], counts["missing"]) == (1, 1)
    assert {"event": "collect.missing", "markets": [ETH], "log_level": "warning"} in logs
    assert Poll.objects.get().markets == [BTC]


def test_a_market_nobody_asked_for_is_not_stored():
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
def test_what_cannot_be_true_is_refused_and_the_rest_is_stored(price, traded_at):
    with (
        quoting(ticker(BTC, 100, TRADED), ticker(ETH, price, traded_at)) as (_, client),
        capture_logs() as logs,
    ):
        counts = collect(client, [BTC, ETH], NOON)

    assert (counts["stored"], counts["refused"], counts["missing"]) == (1, 1, 0)
    assert [log["market"] for log in logs if log["event"] == "collect.refused"] == [ETH]
    assert Poll.objects.get().markets == [BTC]


def test_the_exchanges_clock_may_be_a_minute_ahead():
    with quoting(ticker(BTC, 100, NOON + timedelta(seconds=60))) as (_, client):
        assert collect(client, [BTC], NOON)["stored"] == 1


@pytest.mark.parametrize("price", [0, -1])
def test_an_answer_with_an_impossible_price_stores_nothing(price):
    with quoting(ticker(BTC, price, TRADED)) as (_, client), pytest.raises(InvalidResponse):
        collect(client, [BTC], NOON)

    assert not Ticker.objects.exists()
    assert not Poll.objects.exists()


def test_without_an_exchange_nothing_is_stored():
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
def test_two_collections_at_once_make_one_row_a_market_and_no_deadlock():
    markets = [f"KRW-C{number:03}" for number in range(250)]
    failures: list[Exception] = []

    class InStep(UpbitClient):
        """Holds each answer until both collections have theirs, so that they store at the same time."""

        both = Barrier(2)

        def tickers(self, markets, *, within_s=None):
            answers = super().tickers(markets, within_s=within_s)
            self.both.wait(timeout=10)
            return answers

    def run(order):
        try:
            client = InStep(serving.url, retries=0)
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


def test_polls_are_read_in_admin_and_never_written(admin_client):
    with quoting(ticker(BTC, 100, TRADED)) as (_, client):
        collect(client, [BTC], NOON)

    shown = admin_client.get(reverse("admin:marketdata_poll_changelist")).content.decode()

    assert BTC in shown
    assert admin_client.get(reverse("admin:marketdata_poll_add")).status_code == 403
    assert str(Poll.objects.get()) == "2026-01-05 12:00:05"
    assert str(Ticker.objects.get()) == "KRW-BTC 100"
