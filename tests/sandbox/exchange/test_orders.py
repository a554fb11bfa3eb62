"""The signed endpoints over HTTP: an order from its POST to the accounts, and each refusal (E5-E9, E17)."""

from decimal import Decimal

import pytest
import requests

from tests.sandbox.account import Account, error
from tests.sandbox.conftest import NOON, NOON_MS
from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer

D = Decimal


@pytest.fixture
def server(clock):
    with SandboxServer(clock=clock, options=Options(limits=GENEROUS)) as server:
        yield server


@pytest.fixture
def account(server):
    return Account(server.url)


@pytest.fixture(scope="module")
def untouched():
    """An account for tests in which no order is accepted."""
    with SandboxServer(clock=NOON.timestamp, options=Options(limits=GENEROUS)) as server:
        yield Account(server.url)


def test_account_starts_with_won_only(account):
    assert account.get("/v1/accounts").json() == [
        {
            "currency": "KRW",
            "balance": "10000000",
            "locked": "0",
            "avg_buy_price": "0",
            "avg_buy_price_modified": True,
            "unit_currency": "KRW",
        }
    ]


def test_chance_has_fees_and_limits(account):
    chance = account.get("/v1/orders/chance", {"market": "KRW-BTC"}).json()

    assert {chance[name] for name in ("bid_fee", "ask_fee", "maker_bid_fee", "maker_ask_fee")} == {"0.0005"}
    market = chance["market"]
    assert (market["id"], market["name"], market["state"]) == ("KRW-BTC", "BTC/KRW", "active")
    assert market["bid"] == {"currency": "KRW", "min_total": "5000"}
    assert market["ask"] == {"currency": "BTC", "min_total": "5000"}
    assert market["max_total"] == "1000000000"
    assert "price" in market["bid_types"]
    assert "market" in market["ask_types"]
    assert (chance["bid_account"]["balance"], chance["ask_account"]["balance"]) == ("10000000", "0")
    other = account.get("/v1/orders/chance", {"market": "BTC-ETH"}).json()
    assert (other["bid_fee"], other["market"]["bid"]["min_total"]) == ("0.0025", "0.00005")


def test_buy_then_sell_of_everything_settles_the_account(account, clock):
    answer = account.buy("1000000", identifier="buy-1")
    assert answer.status_code == 201
    waiting = answer.json()
    assert (waiting["state"], waiting["executed_volume"], waiting["locked"]) == ("wait", "0", "1000500")
    assert account.balances() == {"KRW": (D(8_999_500), D(1_000_500))}
    assert account.order(identifier="buy-1") == {**waiting, "trades": []}

    clock.now_s += 0.3
    bought = account.order(uuid=waiting["uuid"])
    assert bought["state"] == "cancel"
    volume, funds = D(bought["executed_volume"]), sum(D(trade["funds"]) for trade in bought["trades"])
    assert D(bought["trades"][0]["price"]) == account.best()[1]  # the book of the moment when it was due
    assert D(bought["paid_fee"]) == funds * D("0.0005")
    krw = 10_000_000 - funds - D(bought["paid_fee"])
    assert account.balances() == {"KRW": (krw, 0), "BTC": (volume, 0)}

    sold = account.sell(f"{volume:f}", identifier="sell-1").json()
    assert account.balances() == {"KRW": (krw, 0), "BTC": (0, volume)}
    clock.now_s += 0.3
    sold = account.order(uuid=sold["uuid"])
    assert (sold["state"], sold["remaining_volume"]) == ("done", "0")
    got = sum(D(trade["funds"]) for trade in sold["trades"]) - D(sold["paid_fee"])
    assert account.balances() == {"KRW": (krw + got, 0)}  # a currency of which nothing is left is absent


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"market": ""}, "validation_error"),
        ({"market": "KRW-NONE"}, "validation_error"),
        ({"market": ["KRW-BTC"]}, "validation_error"),
        ({"side": ""}, "validation_error"),
        ({"side": "buy"}, "validation_error"),
        ({"ord_type": ""}, "validation_error"),
        ({"ord_type": "stop"}, "validation_error"),
        ({"price": "1E4"}, "validation_error"),
        ({"price": "-10000"}, "validation_error"),
        ({"price": "0"}, "validation_error"),
        ({"price": "10000.123456789"}, "validation_error"),
        ({"identifier": "x" * 129}, "validation_error"),
        ({"identifier": True}, "validation_error"),
        ({"smp_type": "all"}, "validation_error"),
        ({"time_in_force": "day"}, "validation_error"),
        ({"volume": "1"}, "create_bid_error"),
        ({"price": ""}, "create_bid_error"),
        ({"time_in_force": "ioc"}, "create_bid_error"),
        ({"side": "ask"}, "create_ask_error"),
        ({"ord_type": "market"}, "create_bid_error"),
        ({"ord_type": "limit"}, "create_bid_error"),
        ({"ord_type": "best"}, "create_bid_error"),
        ({"ord_type": "best", "time_in_force": "post_only"}, "create_bid_error"),
        ({"side": "ask", "ord_type": "market", "volume": "1"}, "create_ask_error"),
        ({"side": "ask", "ord_type": "market", "price": "", "volume": "0.000000001"}, "validation_error"),
        ({"price": "4999.99999999"}, "under_min_total_bid"),
        ({"side": "ask", "ord_type": "market", "price": "", "volume": "0.00000001"}, "under_min_total_ask"),
        ({"price": "1000000000.00000001"}, "invalid_funds"),
        ({"ord_type": "limit", "price": "100000000", "volume": "10.00000001"}, "volume_too_large"),
        ({"ord_type": "limit", "price": "100000000", "volume": "0.00004999"}, "under_min_total_bid"),
        ({"ord_type": "limit", "price": "100000500", "volume": "1"}, "invalid_price_bid"),
        ({"side": "ask", "ord_type": "limit", "price": "100000500", "volume": "1"}, "invalid_price_ask"),
        ({"price": "9995003"}, "insufficient_funds_bid"),  # 10,000,000.5 with the fee
        ({"ord_type": "limit", "price": "100000000", "volume": "0.1"}, "insufficient_funds_bid"),
        ({"side": "ask", "ord_type": "market", "price": "", "volume": "1"}, "insufficient_funds_ask"),
        ({"ord_type": "limit", "time_in_force": "post_only", "smp_type": "reduce"}, "validation_error"),
    ],
)
def test_invalid_order_is_refused_by_name_and_changes_nothing(untouched, body, name):
    usual = {"market": "KRW-BTC", "side": "bid", "ord_type": "price", "price": "10000"}
    wanted = {key: value for key, value in {**usual, **body}.items() if value != ""}

    assert error(untouched.post(wanted, "/v1/orders/test")) == (400, name)
    assert error(untouched.post(wanted)) == (400, name)
    assert untouched.balances() == {"KRW": (10_000_000, 0)}
    assert untouched.get("/v1/orders/open").json() == []


def test_whole_balance_less_the_fee_can_be_spent(account):
    assert account.buy("9995002").status_code == 201
    assert account.balances()["KRW"][0] == D("0.499")


def test_insufficient_funds_message_names_the_currency(account):
    assert "KRW" in account.buy("9999999").json()["error"]["message"]
    assert "BTC" in account.sell("1").json()["error"]["message"]


def test_limit_prices_must_be_multiples_of_the_tick_size(untouched):
    def refused(market, price):
        body = {"market": market, "side": "bid", "ord_type": "limit", "price": price, "volume": "6000"}
        answer = untouched.post(body, "/v1/orders/test")
        return answer.status_code == 400 and error(answer)[1] == "invalid_price_bid"

    assert refused("KRW-XRP", "999.5")
    assert not refused("KRW-XRP", "999")
    assert refused("KRW-XRP", "5001")
    assert not refused("KRW-XRP", "5005")
    assert refused("KRW-XRP", "9.999")
    assert not refused("KRW-XRP", "9.99")


def test_identifier_of_a_refused_order_cannot_be_used_again(account, server):
    assert account.buy("1", identifier="once").status_code == 400
    assert error(account.buy(identifier="once")) == (400, "duplicate_identifier")
    assert account.buy(identifier="twice").status_code == 201
    again = account.buy(identifier="twice")
    assert error(again) == (400, "duplicate_identifier")
    assert "identifier" in again.json()["error"]["message"]
    assert error(account.get("/v1/order", {"identifier": "once"})) == (404, "order_not_found")
    assert [post[1:] for post in server.exchange.posts] == [
        ("once", 400),
        ("once", 400),
        ("twice", 201),
        ("twice", 400),
    ]
    assert {post.at_ms for post in server.exchange.posts} == {NOON_MS}


def test_wrongly_signed_order_is_recorded_and_keeps_its_identifier_usable(account, server):
    account.http.auth.claims = {"query_hash": "wrong"}
    assert account.buy(identifier="free").status_code == 401
    account.http.auth.claims = {}

    assert account.buy(identifier="free").status_code == 201
    assert [post.status for post in server.exchange.posts] == [401, 201]


def test_tested_order_is_not_placed(account):
    body = {"market": "KRW-BTC", "side": "bid", "ord_type": "price", "price": "10000", "identifier": "t"}
    tested = account.post(body, "/v1/orders/test")

    assert (tested.status_code, tested.json()["state"]) == (201, "wait")
    assert error(account.get("/v1/order", {"uuid": tested.json()["uuid"]})) == (404, "order_not_found")
    assert account.balances() == {"KRW": (10_000_000, 0)}
    assert account.post(body).status_code == 201
    assert error(account.post(body, "/v1/orders/test")) == (400, "duplicate_identifier")


def test_offline_market_refuses_orders(account, server):
    server.exchange.offline.add("KRW-BTC")
    assert error(account.buy()) == (400, "market_offline")
    body = {"market": "KRW-BTC", "side": "bid", "ord_type": "price", "price": "10000"}
    assert error(account.post(body, "/v1/orders/test")) == (400, "market_offline")
    chance = account.get("/v1/orders/chance", {"market": "KRW-BTC"}).json()
    assert chance["market"]["state"] == "offline"

    server.exchange.offline.clear()
    assert account.buy().status_code == 201


def test_order_is_found_by_uuid_or_identifier(account):
    first = account.buy(identifier="first").json()
    account.buy(identifier="second")

    assert account.order(uuid=first["uuid"], identifier="second")["identifier"] == "first"
    assert account.order(identifier="second")["identifier"] == "second"
    assert error(account.get("/v1/order")) == (400, "validation_error")
    assert error(account.get("/v1/order", {"uuid": "none"})) == (404, "order_not_found")
    assert error(account.get("/v1/order", {"identifier": "none"})) == (404, "order_not_found")


def test_resting_order_can_be_cancelled(account, clock):
    bid, _ = account.best()
    order = account.limit("bid", bid - 20_000_000, "0.01", identifier="rest").json()
    assert (order["smp_type"], order["volume"], order["remaining_volume"]) == ("cancel_maker", "0.01", "0.01")
    clock.now_s += 1
    cancelled = account.delete(identifier="rest")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "wait")

    clock.now_s += 0.3
    ended = account.order(uuid=order["uuid"])
    assert (ended["state"], ended["executed_volume"], ended["trades"]) == ("cancel", "0", [])
    assert account.balances() == {"KRW": (10_000_000, 0)}
    assert error(account.delete(uuid=order["uuid"])) == (404, "order_not_found")
    assert error(account.delete(uuid="none")) == (404, "order_not_found")
    assert error(account.delete()) == (400, "validation_error")


def test_answer_has_the_self_trade_prevention_type(account):
    bid, _ = account.best()
    low = bid - 20_000_000

    def smp(**more):
        return account.limit("bid", low, "0.001", **more).json()["smp_type"]

    assert smp() == "cancel_maker"
    assert smp(smp_type="reduce") == "reduce"
    assert smp(time_in_force="post_only") == "none"
    assert smp(time_in_force="post_only", smp_type="none") == "none"


def test_resting_order_fills_when_the_price_path_reaches_it(account, clock, server):
    bid, _ = account.best()
    price = (bid * D("0.9995") // 1000) * 1000
    uuid = account.limit("bid", price, "0.01").json()["uuid"]
    clock.now_s += 1
    assert account.order(uuid=uuid)["state"] == "wait"

    for _ in range(200):  # the path comes by within a few hours
        clock.now_s += 300
        order = account.order(uuid=uuid)
        if order["state"] == "done":
            break
    [trade] = order["trades"]
    assert (trade["price"], trade["volume"]) == (f"{price}", "0.01")
    assert D(order["paid_fee"]) == price * D("0.01") * D("0.0005")
    at_ms = server.exchange.orders()[0].trades[0].at_ms
    ticks = server_trades(account, at_ms)
    assert ticks[0]["timestamp"] == at_ms
    assert ticks[0]["trade_price"] <= price


def server_trades(account, at_ms):
    params = {"market": "KRW-BTC", "cursor": (at_ms + 1) * 10_000}
    return requests.get(f"{account.url}/v1/trades/ticks", params=params, timeout=30).json()


def test_api_keys_and_wallet_status_are_listed(account):
    [key] = account.get("/v1/api_keys").json()
    assert key == {"access_key": "sandbox-access-key", "expire_at": "2027-11-22T21:00:30+09:00"}
    wallets = {wallet["currency"]: wallet for wallet in account.get("/v1/status/wallet").json()}
    assert wallets["BTC"]["wallet_state"] == "working"
    assert wallets["BTC"]["block_state"] == "normal"


def test_order_in_a_btc_market_needs_btc(account):
    body = {"market": "BTC-ETH", "side": "bid", "ord_type": "price", "price": "0.001"}
    answer = account.post(body)
    assert error(answer) == (400, "insufficient_funds_bid")
    assert "BTC" in answer.json()["error"]["message"]
