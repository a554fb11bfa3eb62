"""The private client against the sandbox's exchange."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from tests.clients.peer import LONG_TIMEOUT_S, stepping_clock, wait_until
from tests.sandbox.limits import GENEROUS
from tradingsite.clients.errors import KeyRejected, NotFound, Rejected
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.order_request import OrderRequest
from tradingsite.clients.upbit.outcome import Accepted, OrderRefused, Unknown
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.options import ACCESS_KEY, SECRET_KEY, Options
from tradingsite.sandbox.server import SandboxServer


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """Fills orders at once and has no rate limits to speak of."""
    with SandboxServer(options=Options(limits=GENEROUS, fill_after_ms=0)) as server:
        yield server


@pytest.fixture
def trader(sandbox) -> UpbitExchange:
    return exchange_client(sandbox, ACCESS_KEY)


def exchange_client(sandbox: SandboxServer, access_key: str) -> UpbitExchange:
    return UpbitExchange(
        sandbox.url,
        access_key,
        SECRET_KEY,
        retries=0,
        read_timeout_s=LONG_TIMEOUT_S,
        wall_clock_s=LONG_TIMEOUT_S,
    )


def buy(total: int = 10_000) -> OrderRequest:
    return OrderRequest("KRW-BTC", "bid", "price", uuid4().hex, price=Decimal(total))


def resting() -> OrderRequest:
    price, volume = Decimal(1_000_000), Decimal("0.01")
    return OrderRequest("KRW-BTC", "bid", "limit", uuid4().hex, price=price, volume=volume)


def test_buy_is_accepted_filled_and_found_by_uuid_and_identifier(trader):
    wanted = buy()

    outcome = trader.place(wanted, within_s=LONG_TIMEOUT_S)

    assert isinstance(outcome, Accepted)
    order = trader.order(identifier=wanted.identifier)
    assert order == trader.order(uuid=outcome.order.uuid)
    assert order.state in {"done", "cancel"}
    spent = sum(trade.funds for trade in order.trades)
    assert 0 < spent <= 10_000
    assert sum(trade.volume for trade in order.trades) == order.executed_volume
    krw, btc = (next(each for each in trader.accounts() if each.currency == name) for name in ("KRW", "BTC"))
    assert krw.balance + krw.locked == 10_000_000 - spent - order.paid_fee
    assert btc.balance == order.executed_volume


def test_open_closed_and_named_orders_are_listed(trader):
    filled, open_ = buy(), resting()
    for wanted in (filled, open_):
        assert isinstance(trader.place(wanted, within_s=LONG_TIMEOUT_S), Accepted)
    now = datetime.now(UTC)

    assert [order.identifier for order in trader.open_orders(market="KRW-BTC")] == [open_.identifier]
    closed = trader.closed_orders(start=now - timedelta(hours=1), end=now + timedelta(hours=1))
    assert [order.identifier for order in closed] == [filled.identifier]
    named = trader.orders(identifiers=[filled.identifier, open_.identifier, "none-such"])
    assert {order.identifier for order in named} == {filled.identifier, open_.identifier}
    assert {order.uuid for order in trader.orders(uuids=[order.uuid for order in named])} == {
        order.uuid for order in named
    }


def test_cancelled_order_is_closed_and_cannot_be_cancelled_again(trader):
    wanted = resting()
    trader.place(wanted, within_s=LONG_TIMEOUT_S)

    trader.cancel(identifier=wanted.identifier)

    assert trader.order(identifier=wanted.identifier).state == "cancel"
    assert trader.open_orders() == []
    with pytest.raises(Rejected):
        trader.cancel(identifier=wanted.identifier)


def test_chance_api_keys_and_wallet_status_are_readable(trader):
    chance = trader.chance("KRW-BTC")

    assert (chance.bid_fee, chance.market.bid.min_total) == (Decimal("0.0005"), 5000)
    assert chance.market.state == "active"
    assert [key.access_key for key in trader.api_keys()] == ["***"]
    assert trader.wallet_status()
    with pytest.raises(NotFound):
        trader.order(identifier="none-such")


def test_order_test_places_nothing(trader, sandbox):
    wanted = buy()

    assert trader.test(wanted).side == "bid"

    assert sandbox.exchange.orders() == []
    with pytest.raises(NotFound):
        trader.order(identifier=wanted.identifier)


def test_refusals_carry_upbits_error_names(trader):
    assert trader.place(buy(4_000), within_s=LONG_TIMEOUT_S).name == "under_min_total_bid"
    assert trader.place(buy(10_000_000), within_s=LONG_TIMEOUT_S).name == "insufficient_funds_bid"


def test_repeated_identifier_makes_the_outcome_unknown(trader):
    wanted = buy()
    assert isinstance(trader.place(wanted, within_s=LONG_TIMEOUT_S), Accepted)

    assert isinstance(trader.place(wanted, within_s=LONG_TIMEOUT_S), Unknown)


def test_unknown_access_key_is_a_proven_refusal(sandbox):
    other = exchange_client(sandbox, "another-key")

    assert other.place(buy(), within_s=LONG_TIMEOUT_S) == OrderRefused(
        "invalid_access_key", "잘못된 엑세스 키입니다.", 401
    )
    with pytest.raises(KeyRejected):
        other.accounts()


@pytest.mark.parametrize(
    ("kind", "outcome", "exists"),
    [
        ("drop_before", Unknown, False),
        ("drop_after", Unknown, True),
        ("silence", Unknown, False),
        ("trickle", Unknown, True),
        ("malformed_json", Unknown, True),
        ("500", Unknown, False),
        ("502", Unknown, False),
        ("503", Unknown, False),
        ("418", Unknown, False),
        ("429", OrderRefused, False),
        ("429_text", OrderRefused, False),
        ("no_remaining_req", Accepted, True),
    ],
)
def test_outcome_under_a_fault_claims_only_what_is_proven(*, trader, sandbox, kind, outcome, exists):
    seconds = {"silence": 3600, "trickle": 0.02}.get(kind)
    sandbox.faults.add(Fault(kind, "/v1/orders", "POST", seconds=seconds))
    wanted = buy()
    # The time up to the POST is counted in readings of the clock, so that a busy machine sends it, too.
    client = replace(trader, clock=stepping_clock(0.01)) if seconds else trader

    assert isinstance(client.place(wanted, within_s=0.5 if seconds else LONG_TIMEOUT_S), outcome)

    wait_until(lambda: sandbox.exchange.posts)
    assert [post.identifier for post in sandbox.exchange.posts] == [wanted.identifier]
    assert len(sandbox.exchange.orders()) == exists
    if kind != "418":
        sandbox.faults.clear()
        assert bool(trader.orders(identifiers=[wanted.identifier])) == exists


def test_offline_market_is_a_named_refusal(trader, sandbox):
    sandbox.faults.add(Fault("market_offline", market="KRW-BTC"))

    assert trader.place(buy(), within_s=LONG_TIMEOUT_S).name == "market_offline"
    with pytest.raises(Rejected) as caught:
        trader.test(buy())
    assert caught.value.name == "market_offline"
