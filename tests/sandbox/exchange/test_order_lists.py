"""The lists of orders: states, pages, windows, names (E18, E19)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.sandbox.account import Account, error
from tests.sandbox.conftest import NOON, NOON_MS
from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer

SEOUL = timezone(timedelta(hours=9))


@pytest.fixture
def account(clock):
    with SandboxServer(clock=clock, options=Options(limits=GENEROUS)) as server:
        yield Account(server.url)


@pytest.fixture
def bought(account, clock):
    """An account with one order an hour: a-0 at noon to a-9 at nine; all are finished."""
    for number in range(10):
        account.buy(identifier=f"a-{number}")
        clock.now_s += 3600
    return account


@pytest.fixture(scope="module")
def untouched():
    with SandboxServer(clock=NOON.timestamp, options=Options(limits=GENEROUS)) as server:
        yield Account(server.url)


def names(response):
    return [order["identifier"] for order in response.json()]


def closed(account, **params):
    return account.get("/v1/orders/closed", params)


def at(hours, **more):
    return (NOON + timedelta(hours=hours, **more)).isoformat(timespec="seconds")


def test_market_buys_are_listed_under_cancel(bought):
    assert names(closed(bought, state="done")) == []
    assert len(names(closed(bought, state="cancel"))) == 10
    assert names(closed(bought, **{"states[]": ["done", "cancel"]})) == names(closed(bought))


def test_closed_orders_are_newest_first_by_default(bought):
    assert names(closed(bought, limit=3)) == ["a-9", "a-8", "a-7"]
    assert names(closed(bought, limit=3, order_by="asc")) == ["a-0", "a-1", "a-2"]
    [order] = closed(bought, limit=1).json()
    assert order["executed_funds"].startswith("999")
    assert "trades" not in order


def test_time_window_includes_both_ends(bought):
    assert names(closed(bought, start_time=at(2), end_time=at(4))) == ["a-4", "a-3", "a-2"]
    assert names(closed(bought, start_time=at(2, seconds=1), end_time=at(4, seconds=-1))) == ["a-3"]
    in_ms = {"start_time": NOON_MS + 2 * 3_600_000, "end_time": NOON_MS + 4 * 3_600_000}
    assert names(closed(bought, **in_ms)) == ["a-4", "a-3", "a-2"]
    kst = NOON.astimezone(SEOUL).isoformat(timespec="seconds")
    utc = NOON.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert names(closed(bought, start_time=kst, end_time=utc)) == ["a-0"]


def test_paging_closed_orders_by_time_misses_none(account, clock):
    for number in range(25):  # several a second
        account.buy(identifier=f"b-{number}")
        clock.now_s += 0.3
    clock.now_s += 1
    seen: set[str] = set()
    end: dict[str, str] = {}
    while not {f"b-{number}" for number in range(25)} <= seen:
        page = closed(account, limit=6, **end).json()
        assert not {order["identifier"] for order in page} <= seen, "a page brought nothing new"
        seen |= {order["identifier"] for order in page}
        end = {"end_time": page[-1]["created_at"]}


def test_time_window_is_at_most_seven_days(bought, clock):
    clock.now_s += 8 * 86_400
    assert names(closed(bought)) == []
    assert len(names(closed(bought, start_time=at(0)))) == 10  # and seven days from there
    assert len(names(closed(bought, end_time=at(9)))) == 10
    assert names(closed(bought, start_time=at(-24 * 8))) == []
    assert len(names(closed(bought, start_time=at(0), end_time=at(24 * 7)))) == 10


@pytest.mark.parametrize(
    "params",
    [
        {"start_time": at(0), "end_time": at(24 * 7, seconds=1)},
        {"start_time": at(1), "end_time": at(0)},
        {"start_time": "yesterday"},
        {"start_time": "2026-11-22T12:00:00"},
        {"start_time": "2026-13-22T12:00:00Z"},
        {"limit": 0},
        {"limit": 1001},
        {"limit": "ten"},
        {"state": "wait"},
        {"state": "done", "states[]": "cancel"},
        {"order_by": "up"},
        {"market": "KRW-NONE"},
    ],
)
def test_invalid_parameters_for_closed_orders_are_refused(untouched, params):
    assert error(closed(untouched, **params)) == (400, "validation_error")


def test_open_orders_are_paged(account, clock):
    low = account.best()[0] - 20_000_000
    for number in range(7):
        account.limit("bid", low, "0.001", identifier=f"o-{number}")
    account.buy(identifier="filled")
    clock.now_s += 1

    def page(**params):
        return names(account.get("/v1/orders/open", params))

    assert page() == [f"o-{number}" for number in range(6, -1, -1)]
    assert page(limit=3) == ["o-6", "o-5", "o-4"]
    assert page(limit=3, page=3) == ["o-0"]
    assert page(limit=3, page=4) == []
    assert page(limit=2, page=2, order_by="asc") == ["o-2", "o-3"]
    assert page(market="KRW-ETH") == []
    assert len(page(market="KRW-BTC", **{"states[]": ["wait", "watch"]})) == 7
    assert page(state="watch") == []


@pytest.mark.parametrize("params", [{"state": "done"}, {"limit": 101}, {"page": 0}, {"page": "two"}])
def test_invalid_parameters_for_open_orders_are_refused(untouched, params):
    assert error(untouched.get("/v1/orders/open", params)) == (400, "validation_error")


def test_orders_are_listed_by_uuids_or_identifiers(bought):
    def named(**params):
        return bought.get("/v1/orders/uuids", params)

    found = named(**{"identifiers[]": ["a-2", "a-7", "unknown"]})
    assert names(found) == ["a-7", "a-2"]
    uuids = [order["uuid"] for order in found.json()]
    assert names(named(**{"uuids[]": uuids, "order_by": "asc"})) == ["a-2", "a-7"]
    assert names(named(**{"uuids[]": uuids, "market": "KRW-ETH"})) == []
    assert all("executed_funds" in order and "trades" not in order for order in found.json())

    assert names(named(**{"identifiers[]": [f"a-{number}" for number in range(100)]}))[0] == "a-9"
    for wrong in (
        {},
        {"uuids[]": uuids, "identifiers[]": ["a-2"]},
        {"identifiers[]": [f"a-{number}" for number in range(101)]},
    ):
        assert error(named(**wrong)) == (400, "validation_error")


def test_order_times_are_in_seoul_time(bought):
    [order] = closed(bought, limit=1).json()

    assert order["created_at"].endswith("+09:00")
    assert datetime.fromisoformat(order["created_at"]).astimezone(UTC) == (NOON + timedelta(hours=9)).replace(
        microsecond=0
    )
