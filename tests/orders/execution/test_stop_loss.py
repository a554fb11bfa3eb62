"""The stop-loss at the sandbox: it sells our coins once, at a fresh price, whatever else is halted."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection

from sysconfig.models import SystemConfig
from sysconfig.registry import UnreadableConfig
from tests.marketdata.feed import record_price
from tests.orders.trades import bought, sold
from tests.orders.venue import NOON, open_venue
from tradingsite.clients.deadline import Clock
from tradingsite.clients.errors import Rejected
from tradingsite.marketdata.models import Ticker
from tradingsite.orders.execution import stop_loss
from tradingsite.orders.execution.stop_loss_sale import READINGS_APART_S
from tradingsite.orders.models import Cause, Order, OrderState
from tradingsite.orders.portfolio.positions import position, positions
from tradingsite.risk.models import Halt
from tradingsite.sandbox.exchange.state import Purse

pytestmark = pytest.mark.django_db
NOTHING = {"held": 0, "not_judged": 0, "fallen": 0, "stop_losses": 0}
SOLD = {"held": 1, "not_judged": 0, "fallen": 1, "stop_losses": 1}
KEPT = {**SOLD, "stop_losses": 0}


@pytest.fixture
def venue():
    with open_venue() as venue:
        yield venue


def price_of(venue, market="KRW-BTC", *, share="0.949", age_s=0):
    """Store a last price that is `share` of our average price."""
    held = position(market)
    price = round(held.cost / held.volume * Decimal(share), 8)
    Ticker.objects.filter(market=market).delete()
    record_price(market, str(price), venue.at - timedelta(seconds=age_s))


def run(venue, *, between_readings=lambda: None, **options):
    """Run once; each pause calls `between_readings` and moves the sandbox's time."""
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        between_readings()
        venue.later(seconds)

    clock = Clock(monotonic=lambda: venue.at.timestamp(), sleep=sleep)  # noqa: PLW0108 - `at` moves
    config = SystemConfig.objects.snapshot()
    counts = stop_loss.run(lambda: venue.client, config, venue.at, clock=clock, **options)
    return counts, slept


def run_without_requests(venue):
    """Run once and prove that no client was made."""
    return stop_loss.run(
        lambda: pytest.fail("no client is needed"), SystemConfig.objects.snapshot(), venue.at
    )


def unknown_sell(venue, volume=None, **facts):
    """Create a sell of ours whose outcome is unknown."""
    before = {"coin_before": venue.balance("BTC"), "volume": volume or position("KRW-BTC").volume}
    return sold("KRW-BTC", at=venue.at, state=OrderState.UNKNOWN, **{**before, **facts})


def posts(venue):
    return venue.requests.count("POST /v1/orders")


def test_no_position_needs_no_request(venue):
    assert run_without_requests(venue) == NOTHING


def test_position_at_its_stop_is_sold_whole_with_its_reason(venue):
    venue.bought("KRW-BTC", 300_000)
    volume = position("KRW-BTC").volume
    price_of(venue, share="0.95")

    counts, slept = run(venue)

    assert counts == SOLD
    assert venue.balance("BTC") == position("KRW-BTC").volume == 0
    order = Order.objects.latest()
    assert (order.cause, order.state, order.volume) == (Cause.STOP_LOSS, OrderState.DONE, volume)
    assert order.checks[0]["name"] == "stop_loss"
    assert "stop 5 % below" in order.checks[0]["text"]
    assert order.clamps == []
    assert order.coin_before == volume
    assert READINGS_APART_S not in slept
    assert run_without_requests(venue) == NOTHING


def test_position_above_its_stop_needs_no_request(venue):
    venue.bought("KRW-BTC", 300_000)
    price_of(venue, share="0.9500001")

    assert run_without_requests(venue) == {**NOTHING, "held": 1}


def test_stop_loss_limit_is_configured_and_has_no_fallback(venue):
    venue.bought("KRW-BTC", 300_000)
    price_of(venue, share="0.85")
    SystemConfig.objects.set_value("stop_loss_pct", "20")
    assert run_without_requests(venue) == {**NOTHING, "held": 1}

    SystemConfig.objects.filter(key="stop_loss_pct").update(value="much")

    with pytest.raises(UnreadableConfig):
        run_without_requests(venue)


@pytest.mark.parametrize(("age_s", "sold_now"), [(30, True), (31, False)])
def test_price_older_than_30_seconds_triggers_nothing(venue, age_s, sold_now):
    venue.bought("KRW-BTC", 300_000)
    price_of(venue, age_s=age_s)

    assert run(venue)[0] == (SOLD if sold_now else {**NOTHING, "held": 1, "not_judged": 1})


def test_position_without_a_price_is_not_judged(venue):
    venue.bought("KRW-BTC", 300_000)

    assert run_without_requests(venue) == {**NOTHING, "held": 1, "not_judged": 1}


def test_dust_is_not_sold(venue):
    bought("KRW-BTC", (150_000_000, "0.00003"), at=NOON)
    price_of(venue)

    assert run_without_requests(venue) == KEPT


def test_rest_below_the_exchanges_minimum_is_not_sold(venue):
    bought("KRW-BTC", (150_000_000, "0.001"), at=NOON)
    venue.server.exchange._state.put_purse("BTC", Purse(Decimal("0.00003")))
    price_of(venue)

    assert run(venue)[0] == KEPT
    assert posts(venue) == 0


def test_stop_loss_runs_while_buys_are_halted_and_trading_is_disabled(venue):
    venue.bought("KRW-XRP", 300_000)
    price_of(venue, "KRW-XRP")
    SystemConfig.objects.set_value("trading_enabled", "false")
    Halt.objects.create(kind="operator", reason="lunch", started_at=NOON, made_by="kim")

    assert run(venue)[0] == SOLD, "and the market is not among the traded ones"


def test_coins_that_are_not_ours_are_not_sold(venue):
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 200_000)
    venue.later(1)
    theirs = venue.balance("BTC") - position("KRW-BTC").volume
    price_of(venue)

    assert run(venue)[0] == SOLD
    assert venue.balance("BTC") == theirs > 0


def test_only_free_coins_are_sold_and_the_clamp_is_recorded(venue):
    venue.bought("KRW-BTC", 300_000)
    ours = position("KRW-BTC").volume
    venue.server.exchange.next_fills.append("never")
    venue.place("KRW-BTC", "ask", "0.0005")
    price_of(venue)

    assert run(venue)[0] == SOLD

    order = Order.objects.latest()
    assert order.volume == ours - Decimal("0.0005")
    assert order.clamps == [{"limit": "free_coins", "before": f"{ours:f}", "after": f"{order.volume:f}"}]
    assert order.coin_before == ours


@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.OPEN, OrderState.PARTIAL])
@pytest.mark.parametrize("write", [bought, sold])
def test_order_in_progress_in_the_market_delays_the_stop_loss(venue, state, write):
    venue.bought("KRW-BTC", 300_000)
    price_of(venue)
    write("KRW-BTC", at=venue.at, state=state)

    assert run_without_requests(venue) == KEPT


def test_offline_market_gets_no_intent(venue):
    venue.bought("KRW-BTC", 300_000)
    price_of(venue)
    venue.server.exchange.offline.add("KRW-BTC")

    assert run(venue)[0] == KEPT
    assert posts(venue) == 1, "only the buy"


def test_error_in_one_market_does_not_stop_the_next(venue):
    bought("KRW-AAAA", (100, 1000), at=NOON)
    venue.server.exchange._state.put_purse("AAAA", Purse(Decimal(1000)))
    venue.bought("KRW-BTC", 300_000)
    price_of(venue, "KRW-AAAA")
    price_of(venue)

    with pytest.raises(Rejected):
        run(venue)

    assert venue.balance("BTC") == 0


def test_unknown_sell_is_retried_after_two_readings_show_the_coins_free(venue):
    venue.bought("KRW-BTC", 300_000)
    first = unknown_sell(venue)
    price_of(venue)

    counts, slept = run(venue)

    assert counts == SOLD
    assert slept[0] == READINGS_APART_S
    assert venue.requests.count("GET /v1/accounts") == 2
    assert venue.balance("BTC") == 0
    first.refresh_from_db()
    assert first.state == OrderState.UNKNOWN, "only evidence resolves it"


def test_unknown_buy_does_not_delay_the_stop_loss(venue):
    venue.bought("KRW-BTC", 300_000)
    bought("KRW-BTC", at=venue.at, state=OrderState.UNKNOWN)
    price_of(venue)

    counts, slept = run(venue)

    assert counts == SOLD
    assert READINGS_APART_S not in slept


def test_coins_sold_by_an_unknown_sell_are_not_sold_again(venue):
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 400_000)
    venue.later(1)
    unknown = unknown_sell(venue)
    venue.place("KRW-BTC", "ask", unknown.volume, unknown.identifier)
    venue.later(1)
    price_of(venue)

    assert run(venue)[0] == KEPT
    assert venue.balance("BTC") > 0, "the owner's"


def test_coins_locked_by_an_unknown_sell_are_not_sold_again(venue):
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 400_000)
    venue.later(1)
    unknown = unknown_sell(venue)
    venue.server.exchange.next_fills.append("never")
    venue.place("KRW-BTC", "ask", unknown.volume, unknown.identifier)
    price_of(venue)

    assert run(venue)[0] == KEPT


def test_unknown_sell_that_arrives_between_the_readings_is_seen(venue):
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 400_000)
    venue.later(1)
    unknown = unknown_sell(venue)
    price_of(venue)

    counts, _ = run(
        venue, between_readings=lambda: venue.place("KRW-BTC", "ask", unknown.volume, unknown.identifier)
    )

    assert counts == KEPT
    assert venue.balance("BTC") > 0


def test_unknown_sell_without_a_balance_before_it_blocks_the_stop_loss(venue):
    venue.bought("KRW-BTC", 300_000)
    unknown_sell(venue, coin_before=None)
    price_of(venue)

    assert run(venue)[0] == KEPT


def test_coins_moved_by_later_orders_are_accounted_for(venue):
    venue.bought("KRW-BTC", 300_000)
    unknown_sell(venue)
    venue.sold("KRW-BTC", "0.0005")
    price_of(venue)

    assert run(venue)[0] == SOLD
    assert venue.balance("BTC") == position("KRW-BTC").volume == 0


def test_sale_is_given_up_when_another_unknown_sell_appears(venue):
    venue.bought("KRW-BTC", 300_000)
    unknown_sell(venue)
    price_of(venue)

    counts, _ = run(venue, between_readings=lambda: unknown_sell(venue))

    assert counts == KEPT
    assert posts(venue) == 1, "only the buy"


def test_sender_without_permission_sends_nothing(venue):
    venue.bought("KRW-BTC", 300_000)
    price_of(venue)

    run(venue, may_post=lambda: False)

    assert posts(venue) == 1, "only the buy"
    assert Order.objects.latest().state == OrderState.REJECTED


@pytest.mark.django_db(
    transaction=True,
    available_apps=["tradingsite.marketdata", "tradingsite.strategy", "tradingsite.orders"],
)
def test_two_simultaneous_runs_sell_once(venue):
    venue.bought("KRW-BTC", 300_000)
    venue.place("KRW-BTC", "bid", 400_000)
    venue.later(1)
    ours = positions(venue.at)[0].volume
    price_of(venue)
    config, both, at = SystemConfig.objects.snapshot(), Barrier(2), venue.at
    clock = Clock(sleep=lambda seconds: venue.later(seconds) and None)

    def make_client():
        both.wait(60)
        return venue.client

    def one(_):
        try:
            return stop_loss.run(make_client, config, at, clock=clock)["stop_losses"]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(one, range(2)))

    assert sorted(results) == [0, 1]
    assert [order.volume for order in Order.objects.filter(side="ask")] == [ours]
    assert posts(venue) == 3, "two buys and one sell"
