"""Reading the account and its orders, testing and cancelling (docs/upbit-client.md U11 to U13, U17, U18)."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import jwt
import pytest

from tests.clients import samples
from tests.clients.peer import Handler, Reply
from tests.clients.samples import ACCESS_KEY, SECRET_KEY
from tradingsite.clients.errors import (
    ClientError,
    InvalidResponse,
    KeyRejected,
    NotFound,
    NotSent,
    RateLimited,
    Rejected,
    Retryable,
    Unavailable,
    Unreachable,
)
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.exchange_schemas import ExchangeOrder
from tradingsite.clients.upbit.order_request import OrderRequest

ORDER = samples.ORDER
ORDERS = samples.array(ORDER)
MORNING = datetime(2026, 11, 22, 1, tzinfo=UTC)
SELL = OrderRequest("KRW-BTC", "ask", "market", "sig-1", volume=Decimal("0.1"))

READS = [
    ("accounts", {}, samples.BALANCES),
    ("chance", {"market": "KRW-BTC"}, samples.CHANCE),
    ("order", {"uuid": "U-1"}, ORDER),
    ("orders", {"identifiers": ["sig-1"]}, ORDERS),
    ("open_orders", {}, ORDERS),
    ("closed_orders", {"start": MORNING, "end": MORNING + timedelta(days=1)}, ORDERS),
    ("api_keys", {}, '[{"access_key":"another-key","expire_at":"2026-11-30T09:00:00+09:00"}]'),
    ("wallet_status", {}, '[{"currency":"BTC","wallet_state":"working","block_state":null}]'),
]
ACTS = [("test", [SELL], {}), ("cancel", [], {"uuid": "U-1"})]


def nonce(authorization: str) -> str:
    signed = authorization.removeprefix("Bearer ")
    return str(jwt.decode(signed, SECRET_KEY, algorithms=["HS256"])["nonce"])


def test_balances_keep_every_digit(peer, exchange):
    peer.script(Reply(body=samples.BALANCES))

    krw, btc = exchange.accounts()

    assert (krw.currency, krw.balance, krw.locked) == ("KRW", 1000000, Decimal("4999.99999922"))
    assert (btc.avg_buy_price, btc.unit_currency) == (20870000, "KRW")


def test_chance_has_fees_and_limits(peer, exchange):
    peer.script(Reply(body=samples.CHANCE))

    chance = exchange.chance("KRW-BTC")

    assert (chance.bid_fee, chance.ask_fee) == (Decimal("0.0005"), Decimal("0.0005"))
    assert (chance.market.bid.min_total, chance.market.ask.min_total) == (5000, 5000)
    assert (chance.market.max_total, chance.market.state) == (1_000_000_000, "active")
    assert chance.ask_account is None
    assert peer.requests[0].query == {"market": ["KRW-BTC"]}


def test_order_has_trades_and_aware_times(peer, exchange):
    filled = samples.order(
        state="cancel", executed_volume="0.00006733", trades=[json.loads(samples.TRADE)], price="10000"
    )
    peer.script(Reply(body=filled))

    order = exchange.order(identifier="sig-1")

    assert order.created_at == MORNING
    assert (order.price, order.volume, order.remaining_volume) == (10000, None, None)
    assert order.executed_volume == Decimal("0.00006733")
    [trade] = order.trades
    assert trade.funds == Decimal("9999.8516")
    assert trade.created_at == MORNING.replace(microsecond=597751)
    assert peer.requests[0].query == {"identifier": ["sig-1"]}


def test_volumes_missing_from_a_new_order_are_zero():
    order = ExchangeOrder.model_validate_json(samples.order(executed_volume=None, prevented_volume=None))

    assert order.executed_volume == order.prevented_volume == 0
    assert not order.trades


@pytest.mark.parametrize("field", ["uuid", "market", "side", "ord_type", "state", "created_at", "paid_fee"])
def test_order_without_a_required_field_is_an_invalid_response(peer, exchange, field):
    peer.script(Reply(body=samples.order(**{field: None})))

    with pytest.raises(InvalidResponse, match=field):
        exchange.order(identifier="sig-1")


@pytest.mark.parametrize("moment", [1606780800000, "2026-11-22T10:00:00", "1970-01-01T00:00:00Z", "soon"])
def test_malformed_order_time_is_an_invalid_response(peer, exchange, moment):
    peer.script(Reply(body=samples.order(created_at=moment)))

    with pytest.raises(InvalidResponse, match="created_at"):
        exchange.order(identifier="sig-1")


def test_only_upbits_order_not_found_error_raises_not_found(peer, exchange):
    peer.script(
        Reply(404, samples.upbit_error("order_not_found")),
        Reply(404, "<html>not here</html>"),
        Reply(404, samples.upbit_error(404, "no Route matched")),
        Reply(404, ""),
    )

    with pytest.raises(NotFound):
        exchange.order(identifier="sig-1")
    for _ in range(3):
        with pytest.raises(Rejected) as caught:
            exchange.order(identifier="sig-1")
        assert type(caught.value) is Rejected


@pytest.mark.parametrize("name", [{"uuid": "U-2"}, {"identifier": "sig-2"}])
def test_answer_about_another_order_is_an_invalid_response(peer, exchange, name):
    peer.script(Reply(body=ORDER))

    with pytest.raises(InvalidResponse, match="not the one"):
        exchange.order(**name)
    with pytest.raises(InvalidResponse, match="not the one"):
        exchange.cancel(**name)


def test_answer_about_other_orders_or_markets_is_an_invalid_response(peer, exchange):
    peer.script(Reply(body=ORDERS), Reply(body=ORDERS), Reply(body=samples.CHANCE))

    with pytest.raises(InvalidResponse, match="not requested"):
        exchange.orders(uuids=["U-2"])
    with pytest.raises(InvalidResponse, match="not requested"):
        exchange.orders(identifiers=["sig-2"])
    with pytest.raises(InvalidResponse, match="not about KRW-ETH"):
        exchange.chance("KRW-ETH")


def test_named_orders_are_requested_in_batches_of_a_hundred(peer, exchange):
    peer.script(Reply(body="[]"), Reply(body=ORDERS))
    names = [f"sig-{number}" for number in range(150, -1, -1)]

    [order] = exchange.orders(identifiers=[*names, *names])

    assert order.identifier == "sig-1"
    assert [len(request.query["identifiers[]"]) for request in peer.requests] == [100, 51]
    assert exchange.orders() == []
    assert len(peer.requests) == 2


def test_open_orders_are_read_page_by_page(peer, exchange):
    pages = [
        [samples.order(uuid=f"U-{number}") for number in numbers]
        for numbers in (range(100), range(99, 199), range(199, 201))
    ]
    peer.script(*[Reply(body=samples.array(*page)) for page in pages])

    found = exchange.open_orders(market="KRW-BTC")

    assert [order.uuid for order in found] == [f"U-{number}" for number in range(201)]
    assert [request.query["page"] for request in peer.requests] == [["1"], ["2"], ["3"]]
    assert peer.requests[0].query["states[]"] == ["wait", "watch"]
    assert peer.requests[0].query["market"] == ["KRW-BTC"]
    assert peer.requests[0].query["order_by"] == ["asc"]


def test_closed_orders_are_requested_in_windows_of_a_week(peer, exchange):
    peer.script(Reply(body=ORDERS), Reply(body="[]"))
    start = datetime(2026, 11, 10, 0, 0, 0, 500, tzinfo=UTC)

    [order] = exchange.closed_orders(start=start, end=start + timedelta(days=10))

    assert order.uuid == "U-1"
    spans = [(request.query["start_time"][0], request.query["end_time"][0]) for request in peer.requests]
    assert spans == [
        ("2026-11-10T09:00:00+09:00", "2026-11-17T09:00:00+09:00"),
        ("2026-11-17T08:59:59+09:00", "2026-11-20T09:00:01+09:00"),
    ]
    assert peer.requests[0].query["states[]"] == ["done", "cancel"]
    assert "%3A" in peer.requests[0].target
    assert "%2B" in peer.requests[0].target


def test_full_page_of_closed_orders_continues_at_its_last_order(peer, exchange):
    late = "2026-11-22T12:00:00+09:00"
    full = [samples.order(uuid=f"U-{number}", created_at=late) for number in range(1000)]
    rest = [full[-1], samples.order(uuid="U-1000", created_at=late)]
    peer.script(Reply(body=samples.array(*full)), Reply(body=samples.array(*rest)))

    found = exchange.closed_orders(start=MORNING, end=MORNING + timedelta(hours=5))

    assert len(found) == 1001
    assert [request.query["start_time"] for request in peer.requests] == [
        ["2026-11-22T10:00:00+09:00"],
        [late],
    ]


def test_full_page_of_closed_orders_within_one_second_is_an_error(peer, exchange):
    full = [samples.order(uuid=f"U-{number}") for number in range(1000)]
    peer.script(Reply(body=samples.array(*full)))

    with pytest.raises(InvalidResponse, match="one second"):
        exchange.closed_orders(start=MORNING, end=MORNING + timedelta(hours=5))


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("order", {}),
        ("order", {"uuid": "U-1", "identifier": "sig-1"}),
        ("order", {"identifier": "sig 1"}),
        ("order", {"uuid": ""}),
        ("orders", {"uuids": ["U-1"], "identifiers": ["sig-1"]}),
        ("orders", {"uuids": ["U&1"]}),
        ("chance", {"market": "BTC"}),
        ("open_orders", {"market": "BTC"}),
        ("closed_orders", {"start": MORNING, "end": MORNING}),
        ("closed_orders", {"start": MORNING.replace(tzinfo=None), "end": MORNING}),
        ("cancel", {}),
    ],
)
def test_invalid_arguments_are_not_sent(peer, exchange, method, wanted):
    with pytest.raises(NotSent):
        getattr(exchange, method)(**wanted)

    assert peer.requests == []


def test_order_test_is_posted_to_the_test_endpoint(peer, exchange):
    peer.script(Reply(201, samples.order(side="ask", ord_type="market")))

    assert exchange.test(SELL).side == "ask"
    assert (peer.requests[0].method, peer.requests[0].path) == ("POST", "/v1/orders/test")
    assert json.loads(peer.requests[0].body)["volume"] == "0.1"


def test_cancel_names_the_order_in_the_query(peer, exchange):
    peer.script(Reply(body=ORDER))

    assert exchange.cancel(uuid="U-1").state == "wait"
    [request] = peer.requests
    assert (request.method, request.path, request.query, request.body) == (
        "DELETE",
        "/v1/order",
        {"uuid": ["U-1"]},
        b"",
    )


@pytest.mark.parametrize(("method", "wanted", "body"), READS)
def test_retried_read_is_signed_with_a_new_nonce(*, peer, make_exchange, fake_clock, method, wanted, body):
    peer.script(Reply(503, "<html>"), Handler.hang_up, Reply(429, "slow down"), Reply(body=body))

    assert getattr(make_exchange(retries=3), method)(**wanted, within_s=60)

    nonces = [nonce(request.headers["authorization"]) for request in peer.requests]
    assert len(nonces) == len(set(nonces)) == 4
    assert fake_clock.slept == [1, 2, 4]


@pytest.mark.parametrize(("method", "arguments", "wanted"), ACTS)
@pytest.mark.parametrize("reply", [Reply(503, "<html>"), Handler.hang_up, Reply(429, "slow down")])
def test_order_test_and_cancel_are_never_retried(*, peer, make_exchange, reply, method, arguments, wanted):
    peer.script(reply)

    with pytest.raises(Retryable):
        getattr(make_exchange(retries=3), method)(*arguments, **wanted)

    assert len(peer.requests) == 1


@pytest.mark.parametrize(("method", "wanted", "body"), READS)
def test_every_read_raises_the_matching_error(*, peer, exchange, method, wanted, body):
    peer.script(
        Reply(503), Handler.hang_up, Reply(body="{"), Reply(400, samples.upbit_error("validation_error"))
    )

    for error in (Unavailable, Unreachable, InvalidResponse, Rejected):
        with pytest.raises(error):
            getattr(exchange, method)(**wanted)


@pytest.mark.parametrize(
    ("status", "name", "error"),
    [
        (401, "invalid_access_key", KeyRejected),
        (401, "jwt_verification", KeyRejected),
        (401, "expired_access_key", KeyRejected),
        (401, "no_authorization_i_p", KeyRejected),
        (403, "out_of_scope", KeyRejected),
        (401, "nonce_used", Rejected),
        (401, "invalid_query_payload", Rejected),
    ],
)
def test_refused_key_is_distinguished_from_a_bad_request(*, peer, exchange, status, name, error):
    peer.script(Reply(status, samples.upbit_error(name, "권한이 부족합니다.")))

    with pytest.raises(Rejected) as caught:
        exchange.accounts()

    assert type(caught.value) is error
    assert (caught.value.name, caught.value.status) == (name, status)


@pytest.mark.parametrize("keys", [("", SECRET_KEY), (ACCESS_KEY, ""), (ACCESS_KEY, "a key")])
def test_without_usable_keys_no_request_is_sent(peer, keys):
    exchange = UpbitExchange(peer.url, *keys)

    for call in (exchange.accounts, lambda: exchange.cancel(uuid="U-1"), lambda: exchange.test(SELL)):
        with pytest.raises(KeyRejected, match="no usable API key") as caught:
            call()
        assert "a key" not in str(caught.value)
    assert peer.requests == []


def test_own_key_is_masked_in_the_list_of_keys(peer, exchange):
    keys = [
        {"access_key": key, "expire_at": "2026-11-30T09:00:00+09:00"} for key in (ACCESS_KEY, "another-key")
    ]
    peer.script(Reply(body=json.dumps(keys)))

    ours, other = exchange.api_keys()

    assert (ours.access_key, other.access_key) == ("***", "another-key")
    assert ours.expire_at == datetime(2026, 11, 30, tzinfo=UTC)
    assert "another-key" not in repr(other)


def test_errors_mask_keys_and_token(peer, exchange):
    def echo(handler: Handler) -> None:
        handler.reply_with(Reply(400, f"{ACCESS_KEY} {SECRET_KEY} {handler.headers['Authorization']}"))

    peer.script(echo)

    with pytest.raises(ClientError) as caught:
        exchange.accounts()

    assert str(caught.value) == "GET /v1/accounts: 400: *** *** Bearer ***"


def test_reads_are_limited_to_25_a_second(peer, exchange, fake_clock):
    for _ in range(26):
        exchange.open_orders()

    assert fake_clock.slept == [1]


def test_order_tests_are_limited_to_6_a_second(peer, exchange, fake_clock):
    peer.script(Reply(201, ORDER))
    for _ in range(7):
        exchange.test(SELL)

    assert fake_clock.slept == [1]


def test_each_key_has_its_own_rate_limit_and_ban(peer, exchange, fake_clock):
    peer.script(Reply(418), Reply(body="[]"))
    other = UpbitExchange(peer.url, "another-key-of-ours", SECRET_KEY, retries=0, clock=fake_clock.clock)

    with pytest.raises(RateLimited, match="bans our key") as caught:
        exchange.accounts()
    with pytest.raises(RateLimited):
        exchange.cancel(uuid="U-1")

    assert caught.value.banned
    assert other.accounts() == []
    assert len(peer.requests) == 2
