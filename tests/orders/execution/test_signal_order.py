"""From a signal to a filled order or a reason for none, at the sandbox (docs/orders.md O1, O3)."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import IntegrityError

from sysconfig.models import SystemConfig
from tests.orders.book import placed
from tradingsite.orders.execution import intents
from tradingsite.orders.models import Cause, Order, OrderState, Side
from tradingsite.orders.portfolio.positions import position
from tradingsite.risk import gate
from tradingsite.risk.models import Halt
from tradingsite.trading_config import MAX_EXPOSURE_PCT, TRADING_ENABLED

pytestmark = pytest.mark.django_db
MARKET = "KRW-BTC"


@pytest.fixture
def trader(trader):
    trader.see_prices()
    return trader


def failed(order):
    return [check["name"] for check in order.checks if not check["passed"]]


def test_buy_is_sent_once_and_booked_exactly(trader):
    order = trader.act(trader.signal())

    assert order.state == OrderState.DONE, (order.reason, order.checks)
    assert order.funds == order.funds.to_integral_value()
    assert order.executed_volume == trader.venue.balance("BTC") == position(MARKET).volume
    assert trader.venue.balance("KRW") == 10_000_000 - order.executed_funds - order.paid_fee
    assert (order.krw_before, order.coin_before) == (10_000_000, 0)
    assert (trader.posts, failed(order)) == (1, [])


def test_sell_sells_our_whole_position_and_no_other_coins(trader):
    trader.venue.place(MARKET, "bid", 50_000)
    ours = trader.act(trader.signal()).executed_volume
    others = trader.venue.balance("BTC") - ours

    order = trader.act(trader.signal("SELL"))

    assert (order.state, order.cause, order.volume) == (OrderState.DONE, Cause.SIGNAL, ours)
    assert trader.venue.balance("BTC") == others
    assert not position(MARKET).volume


def test_sell_is_reduced_to_the_coins_left_in_the_account(trader):
    ours = trader.act(trader.signal()).executed_volume
    trader.venue.place(MARKET, "ask", (ours / 4).quantize(Decimal("1e-8")))
    trader.wait(1)
    left = trader.venue.balance("BTC")

    order = trader.act(trader.signal("SELL"))

    assert (order.state, order.volume, trader.venue.balance("BTC")) == (OrderState.DONE, left, 0)
    (clamp,) = order.clamps
    assert (clamp["limit"], Decimal(clamp["before"]), Decimal(clamp["after"])) == ("free_coins", ours, left)


def test_sell_is_sent_while_buys_are_stopped(trader):
    trader.act(trader.signal())
    SystemConfig.objects.set_value("trading_enabled", "false")
    Halt.objects.create(kind="operator", reason="lunch", started_at=trader.venue.at, made_by="kim")

    order = trader.act(trader.signal("SELL"), synced=False, volatility_checked_at=None)

    assert order.state == OrderState.DONE


def test_denied_signal_leaves_a_denied_order_with_every_check(trader):
    order = trader.act(trader.signal(), synced=False)

    assert (order.state, order.reason) == (OrderState.DENIED, "not_synced")
    assert order.ended_at == order.created_at >= trader.venue.at
    assert (failed(order), len(order.checks) > 5, trader.posts) == (["not_synced"], True, 0)
    assert order.events.last().evidence == {"reason": "our orders could not be reconciled"}


def test_signal_is_executed_once(trader):
    signal = trader.signal()

    first, second = trader.act(signal), trader.act(signal)

    assert (first.pk, trader.posts) == (second.pk, 1)


def test_denied_signal_stays_denied(trader):
    signal = trader.signal()
    first = trader.act(signal, synced=False)

    assert trader.act(signal).pk == first.pk
    assert trader.posts == 0


@pytest.mark.parametrize("state", ["SUBMITTING", "OPEN", "PARTIAL", "UNKNOWN"])
def test_buy_is_denied_while_an_order_of_the_market_is_unresolved(trader, state):
    placed(state=state)

    order = trader.act(trader.signal())

    assert (order.state, order.reason, trader.posts) == (OrderState.DENIED, "order_unresolved", 0)


@pytest.mark.parametrize(("side", "sold"), [("bid", True), ("ask", False)])
def test_unknown_sell_blocks_a_sell_and_an_unknown_buy_does_not(trader, side, sold):
    ours = trader.act(trader.signal()).executed_volume
    sell = {"ord_type": "market", "funds": None, "volume": ours}
    placed(state="UNKNOWN", side=side, **({} if side == "bid" else sell))

    order = trader.act(trader.signal("SELL"))

    assert order.state == (OrderState.DONE if sold else OrderState.DENIED), order.reason
    assert order.reason == ("" if sold else "order_unresolved")


@pytest.mark.parametrize("decision", ["BUY", "SELL"])
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/orders/chance"])
def test_failed_exchange_request_denies_with_its_error(trader, path, decision):
    trader.fail("503", "GET", path)

    signal = trader.signal(decision)
    order = trader.act(signal)

    assert (order.state, order.reason) == (OrderState.DENIED, "exchange_unavailable")
    assert order.side == ("bid" if decision == "BUY" else "ask")
    assert "503" in order.checks[0]["text"]
    assert trader.act(signal).pk == order.pk


def test_unreadable_buy_limit_does_not_block_a_sell(trader):
    trader.act(trader.signal())
    for key in (MAX_EXPOSURE_PCT, TRADING_ENABLED):
        SystemConfig.objects.filter(key=key.name).update(value="much")

    assert trader.act(trader.signal("SELL")).state == OrderState.DONE


def test_unreadable_limit_denies_a_buy_without_a_fallback(trader):
    SystemConfig.objects.filter(key=MAX_EXPOSURE_PCT.name).update(value="much")

    order = trader.act(trader.signal())

    assert (order.state, order.reason, trader.posts) == (OrderState.DENIED, "limit_unreadable", 0)
    assert MAX_EXPOSURE_PCT.name in order.checks[0]["text"]


def test_buy_is_denied_while_a_position_has_no_price(trader):
    trader.venue.bought("KRW-ETH", 10_000)

    order = trader.act(trader.signal())

    assert order.state == OrderState.DENIED
    assert "daily_loss" in failed(order)


def test_hold_signal_raises_value_error(trader):
    with pytest.raises(ValueError, match="nothing to act on"):
        trader.act(trader.signal("HOLD"))
    assert not Order.objects.exists()


def test_database_constraint_denies_a_second_order_past_the_lock(trader, monkeypatch):
    placed(state="OPEN")
    active = type(Order.objects.all()).active
    monkeypatch.setattr(type(Order.objects.all()), "active", lambda orders: active(orders).none())

    order = trader.act(trader.signal())

    assert (order.state, order.reason, trader.posts) == (OrderState.DENIED, "order_unresolved", 0)
    assert "one_order_at_a_time_per_market" in order.checks[0]["text"]


def test_second_intent_of_a_signal_is_not_written(trader):
    order = trader.buy()

    with pytest.raises(intents.OrderNotStored) as refused, intents.market_lock("KRW-ETH"):
        intents.record(
            intents.Intent("KRW-ETH", Side.BID, order.signal, funds=Decimal(9_999)), trader.venue.at
        )

    assert isinstance(refused.value.__cause__, IntegrityError)
    assert Order.objects.get() == order


def test_every_intent_has_a_unique_ascii_identifier(trader):
    names = {trader.buy(market=market).identifier for market in ("KRW-BTC", "KRW-ETH")}

    assert len(names) == 2
    assert all(name.startswith("ts-") and name.isascii() and " " not in name for name in names)


def test_invalid_intent_is_denied_with_the_database_error(trader, monkeypatch):
    evaluate = gate.evaluate
    monkeypatch.setattr(gate, "evaluate", lambda *facts: replace(evaluate(*facts), funds=Decimal(0)))

    order = trader.act(trader.signal())

    assert (order.state, order.reason, trader.posts) == (OrderState.DENIED, "not_written", 0)
    assert "order_asks_what_its_type_takes" in order.checks[0]["text"]


def test_amount_too_large_for_its_column_is_denied(trader, monkeypatch):
    evaluate = gate.evaluate
    monkeypatch.setattr(gate, "evaluate", lambda *facts: replace(evaluate(*facts), funds=Decimal(10) ** 30))

    assert trader.act(trader.signal()).reason == "not_written"
