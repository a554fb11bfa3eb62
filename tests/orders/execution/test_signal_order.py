"""From a signal to a filled order, or to a reason why not, at the sandbox (docs/orders.md O1, O3)."""

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
def seeing(trader):
    trader.see_prices()
    return trader


def failed(order):
    return [check["name"] for check in order.checks if not check["passed"]]


def test_a_buy_is_sent_once_filled_and_booked_to_the_last_digit(seeing):
    order = seeing.act(seeing.signal())

    assert order.state == OrderState.DONE, (order.reason, order.checks)
    assert order.funds == order.funds.to_integral_value()
    assert order.executed_volume == seeing.venue.purse("BTC") == position(MARKET).volume
    assert seeing.venue.purse("KRW") == 10_000_000 - order.executed_funds - order.paid_fee
    assert (order.krw_before, order.coin_before) == (10_000_000, 0)
    assert (seeing.posts, failed(order)) == (1, [])


def test_a_sell_sells_our_whole_position_and_no_coin_of_others(seeing):
    seeing.venue.place(MARKET, "bid", 50_000)
    ours = seeing.act(seeing.signal()).executed_volume
    others = seeing.venue.purse("BTC") - ours

    order = seeing.act(seeing.signal("SELL"))

    assert (order.state, order.cause, order.volume) == (OrderState.DONE, Cause.SIGNAL, ours)
    assert seeing.venue.purse("BTC") == others
    assert not position(MARKET).volume


def test_a_sell_is_made_smaller_when_coins_of_ours_are_gone(seeing):
    ours = seeing.act(seeing.signal()).executed_volume
    seeing.venue.place(MARKET, "ask", (ours / 4).quantize(Decimal("1e-8")))
    seeing.wait(1)
    left = seeing.venue.purse("BTC")

    order = seeing.act(seeing.signal("SELL"))

    assert (order.state, order.volume, seeing.venue.purse("BTC")) == (OrderState.DONE, left, 0)
    (clamp,) = order.clamps
    assert (clamp["limit"], Decimal(clamp["before"]), Decimal(clamp["after"])) == ("free_coins", ours, left)


def test_a_sell_goes_out_while_everything_that_stops_buys_is_on(seeing):
    seeing.act(seeing.signal())
    SystemConfig.objects.set_value("trading_enabled", "false")
    Halt.objects.create(kind="operator", reason="lunch", started_at=seeing.venue.at, made_by="kim")

    order = seeing.act(seeing.signal("SELL"), synced=False, volatility_checked_at=None)

    assert order.state == OrderState.DONE


def test_a_denied_signal_has_one_order_with_every_check_and_nothing_was_sent(seeing):
    order = seeing.act(seeing.signal(), synced=False)

    assert (order.state, order.reason) == (OrderState.DENIED, "not_synced")
    assert order.ended_at == order.created_at >= seeing.venue.at
    assert (failed(order), len(order.checks) > 5, seeing.posts) == (["not_synced"], True, 0)
    assert order.events.last().evidence == {"reason": "our orders could not be reconciled"}


def test_a_signal_that_was_acted_on_is_never_acted_on_again(seeing):
    signal = seeing.signal()

    first, second = seeing.act(signal), seeing.act(signal)

    assert (first.pk, seeing.posts) == (second.pk, 1)


def test_a_signal_that_was_denied_stays_denied(seeing):
    signal = seeing.signal()
    first = seeing.act(signal, synced=False)

    assert seeing.act(signal).pk == first.pk
    assert seeing.posts == 0


@pytest.mark.parametrize("state", ["SUBMITTING", "OPEN", "PARTIAL", "UNKNOWN"])
def test_nothing_is_bought_while_an_order_of_the_market_is_unresolved(seeing, state):
    placed(state=state)

    order = seeing.act(seeing.signal())

    assert (order.state, order.reason, seeing.posts) == (OrderState.DENIED, "order_unresolved", 0)


@pytest.mark.parametrize(("side", "sold"), [("bid", True), ("ask", False)])
def test_an_unknown_buy_does_not_keep_a_sell_back_but_an_unknown_sell_does(seeing, side, sold):
    ours = seeing.act(seeing.signal()).executed_volume
    sell = {"ord_type": "market", "funds": None, "volume": ours}
    placed(state="UNKNOWN", side=side, **({} if side == "bid" else sell))

    order = seeing.act(seeing.signal("SELL"))

    assert order.state == (OrderState.DONE if sold else OrderState.DENIED), order.reason
    assert order.reason == ("" if sold else "order_unresolved")


@pytest.mark.parametrize("decision", ["BUY", "SELL"])
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/orders/chance"])
def test_what_the_exchange_does_not_tell_denies_with_its_words(seeing, path, decision):
    seeing.break_("503", "GET", path)

    signal = seeing.signal(decision)
    order = seeing.act(signal)

    assert (order.state, order.reason) == (OrderState.DENIED, "exchange_unavailable")
    assert order.side == ("bid" if decision == "BUY" else "ask")
    assert "503" in order.checks[0]["text"]
    assert seeing.act(signal).pk == order.pk


def test_a_limit_of_buys_that_cannot_be_read_keeps_no_sell_back(seeing):
    seeing.act(seeing.signal())
    for key in (MAX_EXPOSURE_PCT, TRADING_ENABLED):
        SystemConfig.objects.filter(key=key.name).update(value="much")

    assert seeing.act(seeing.signal("SELL")).state == OrderState.DONE


def test_an_unreadable_limit_denies_and_has_no_fallback(seeing):
    SystemConfig.objects.filter(key=MAX_EXPOSURE_PCT.name).update(value="much")

    order = seeing.act(seeing.signal())

    assert (order.state, order.reason, seeing.posts) == (OrderState.DENIED, "limit_unreadable", 0)
    assert MAX_EXPOSURE_PCT.name in order.checks[0]["text"]


def test_nothing_is_bought_while_something_held_has_no_price(seeing):
    seeing.venue.bought("KRW-ETH", 10_000)

    order = seeing.act(seeing.signal())

    assert order.state == OrderState.DENIED
    assert "daily_loss" in failed(order)


def test_a_signal_to_hold_is_nothing_to_act_on(seeing):
    with pytest.raises(ValueError, match="nothing to act on"):
        seeing.act(seeing.signal("HOLD"))
    assert not Order.objects.exists()


def test_an_order_written_past_the_lock_is_kept_out_by_the_database(seeing, monkeypatch):
    placed(state="OPEN")
    active = type(Order.objects.all()).active
    monkeypatch.setattr(type(Order.objects.all()), "active", lambda orders: active(orders).none())

    order = seeing.act(seeing.signal())

    assert (order.state, order.reason, seeing.posts) == (OrderState.DENIED, "order_unresolved", 0)
    assert "one_order_at_a_time_per_market" in order.checks[0]["text"]


def test_a_second_intent_of_one_signal_is_not_written(seeing):
    order = seeing.buy()

    with pytest.raises(intents.OrderNotStored) as refused, intents.market_lock("KRW-ETH"):
        intents.record(
            intents.Intent("KRW-ETH", Side.BID, order.signal, funds=Decimal(9_999)), seeing.venue.at
        )

    assert isinstance(refused.value.__cause__, IntegrityError)
    assert Order.objects.get() == order


def test_every_intent_has_a_name_of_its_own_that_upbit_signs_right(seeing):
    names = {seeing.buy(market=market).identifier for market in ("KRW-BTC", "KRW-ETH")}

    assert len(names) == 2
    assert all(name.startswith("ts-") and name.isascii() and " " not in name for name in names)


def test_an_intent_that_makes_no_sense_denies_and_says_what_the_database_said(seeing, monkeypatch):
    evaluate = gate.evaluate
    monkeypatch.setattr(gate, "evaluate", lambda *facts: replace(evaluate(*facts), funds=Decimal(0)))

    order = seeing.act(seeing.signal())

    assert (order.state, order.reason, seeing.posts) == (OrderState.DENIED, "not_written", 0)
    assert "order_asks_what_its_type_takes" in order.checks[0]["text"]


def test_an_amount_beyond_all_columns_denies(seeing, monkeypatch):
    evaluate = gate.evaluate
    monkeypatch.setattr(gate, "evaluate", lambda *facts: replace(evaluate(*facts), funds=Decimal(10) ** 30))

    assert seeing.act(seeing.signal()).reason == "not_written"
