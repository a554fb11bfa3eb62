"""The exchange judged by the calls that the trader really made (docs/market-data.md, M10 to M12)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from tests.marketdata.exchange import exchange, ticker
from tradingsite.clients import call_log
from tradingsite.clients.errors import Unreachable
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.marketdata import probes, venue_stats
from tradingsite.marketdata.models import VenueEvidence
from tradingsite.sandbox.faults.arming import Fault
from tradingsite.sandbox.options import ApiKey, Options
from tradingsite.sandbox.server import SandboxServer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_called(monkeypatch):
    """Call logs of the test's own: others have called too."""
    for name, venue in (("UPBIT", venue_stats.UPBIT), ("ACCOUNT", venue_stats.ACCOUNT)):
        monkeypatch.setattr(call_log, name, call_log.CallLog())
        monkeypatch.setitem(venue_stats._CALL_LOGS, venue, getattr(call_log, name))
    monkeypatch.setattr(venue_stats, "_saved_versions", {})


@pytest.fixture
def silent(settings):
    """No exchange: whoever asks learns so."""
    settings.UPBIT_URL = "http://127.0.0.1:9"


def ago(**span):
    return Now() - timedelta(**span)


def known(venue=venue_stats.UPBIT, **facts):
    facts = {"answered": 20, "last_success_at": ago(seconds=4), "p50_ms": 31.0} | facts
    VenueEvidence.objects.update_or_create(venue=venue, defaults={"key_checked_at": Now(), **facts})


def found():
    finding = probes.upbit_api()
    return finding.status, finding.english


@pytest.mark.usefixtures("silent")
def test_lately_answered_is_healthy_and_nothing_is_asked():
    known()

    assert found() == ("healthy", "prices were answered 4 s ago: 20 of the last 20 calls, in 31 ms")


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    "facts",
    [
        {"last_success_at": ago(seconds=31)},
        {"last_failure_at": ago(seconds=1), "failed": 1},
        {"last_success_at": None},
    ],
    ids=["old", "failed since", "never"],
)
def test_where_the_newest_call_says_nothing_good_it_is_asked(facts):
    known(**facts)

    assert found() == ("unhealthy", "Upbit cannot be reached: check the network and UPBIT_API_URL")


@pytest.mark.parametrize(("banned", "status"), [(True, "unhealthy"), (False, "warning")])
def test_while_limited_or_banned_nothing_is_asked_and_the_end_is_told(settings, banned, status):
    end = datetime.now(UTC) + timedelta(minutes=5)
    known(limited_until=end, banned=banned)
    with exchange(lambda *_: (200, [])) as serving:
        settings.UPBIT_URL = serving.url
        told = found()

    assert told[0] == status
    assert f"until {end:%H:%M:%S} UTC" in told[1]
    assert serving.paths == []


def prices():
    return exchange(lambda *_: (200, [ticker("KRW-BTC", 5, datetime.now(UTC))]))


def test_a_ban_of_our_key_holds_back_every_question(settings):
    end = datetime.now(UTC) + timedelta(minutes=5)
    known(last_success_at=ago(minutes=5))
    known(venue_stats.ACCOUNT, limited_until=end, banned=True)
    with prices() as serving:
        settings.UPBIT_URL = serving.url
        status, text = found()

    assert (status, serving.paths) == ("unhealthy", [])
    assert f"until {end:%H:%M:%S} UTC" in text


def test_the_last_requests_of_a_second_are_left_to_the_trader(settings):
    known(budget={"ticker": 2}, last_success_at=ago(seconds=0.2), last_failure_at=ago(seconds=0.1))
    with prices() as serving:
        settings.UPBIT_URL = serving.url
        told = found()

    assert told == ("warning", "only 2 requests to Upbit are left in this second, so none was sent")
    assert serving.paths == []


@pytest.mark.parametrize("facts", [{"answered": 9, "failed": 11}, {"skew_s": 9.0}])
def test_what_is_long_ago_is_held_against_nobody(settings, facts):
    known(**{"last_success_at": ago(minutes=11), **facts})
    with prices() as serving:
        settings.UPBIT_URL = serving.url
        assert found()[0] == "healthy"


@pytest.mark.usefixtures("silent")
def test_few_answers_are_a_warning():
    known(answered=9, failed=11, last_failure_at=ago(seconds=9), last_failure_kind="timeout")

    assert found() == (
        "warning", "only 9 of the last 20 calls were answered, the last failure: timeout"
    )  # fmt: skip


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("skew_s", [2.6, -2.6])
def test_a_clock_that_is_off_is_a_warning(skew_s):
    known(skew_s=skew_s)

    assert found() == ("warning", f"our clock is {skew_s} s off Upbit's, limit 2.0 s: set it by NTP")


@pytest.mark.usefixtures("silent")
def test_prices_are_well_while_orders_fail():
    """A ping would see nothing of it."""
    failing = {"answered": 0, "failed": 3, "last_success_at": None, "last_failure_at": ago(seconds=9)}
    known()
    known(venue_stats.ACCOUNT, **failing, last_failure_kind="failing")
    assert found() == (
        "unhealthy", "none of the last 3 calls to our account was answered, the last: failing"
    )  # fmt: skip

    known(venue_stats.ACCOUNT, last_failure_kind="key", last_failure_at=ago(seconds=1))
    status, text = found()
    assert (status, text.split(":")[0]) == ("unhealthy", "Upbit does not accept the API key")


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(("days", "status"), [(31, "healthy"), (23, "warning"), (-1, "unhealthy")])
def test_the_keys_end_is_told_a_month_before(days, status):
    known(key_expires_at=Now() + timedelta(days=days, hours=1))

    told = found()

    assert told[0] == status
    assert ("expires in 23 days" in told[1]) == (days == 23)


def test_the_key_is_asked_for_once_in_six_hours(settings):
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=12)
    with SandboxServer(options=Options(api_key=ApiKey(expires_at=ends))) as server:
        settings.UPBIT_URL = server.url
        first, second = found(), found()
        assert first == second  # it is told at once
        asked = [each.request.path for each in server.requests if "api_keys" in each.request.path]
        VenueEvidence.objects.update(key_checked_at=ago(hours=7))
        found()
        again = [each.request.path for each in server.requests if "api_keys" in each.request.path]

    assert VenueEvidence.objects.get(venue=venue_stats.UPBIT).key_expires_at == ends
    assert second[0] == "warning"
    assert "the API key expires in 11 days" in second[1]
    assert (len(asked), len(again)) == (1, 2)


def test_a_key_that_is_refused_is_unhealthy_until_it_is_not(settings):
    settings.UPBIT_SECRET_KEY = "not-the-one-" * 6
    with SandboxServer() as server:
        settings.UPBIT_URL = server.url
        told = [found() for _ in range(3)]

    assert {(status, text.split(":")[0]) for status, text in told} == {
        ("unhealthy", "Upbit does not accept the API key")
    }


def test_what_the_trader_called_is_written_once_and_only_when_there_was_something(
    settings, django_assert_num_queries
):
    with django_assert_num_queries(0):
        venue_stats.flush()
    with SandboxServer() as server:
        client = UpbitClient(server.url)
        client.tickers(["KRW-BTC"])
        keys = (settings.UPBIT_ACCESS_KEY, settings.UPBIT_SECRET_KEY)
        UpbitExchange(server.url, *keys).accounts()
        server.faults.add(Fault("503"))
        with pytest.raises(Exception, match="503"):
            UpbitClient(server.url, retries=0).tickers(["KRW-BTC"])
    venue_stats.flush()
    with django_assert_num_queries(0):
        venue_stats.flush()

    rows = {row.venue: row for row in VenueEvidence.objects.all()}
    prices, account = rows["upbit"], rows["account"]
    assert (prices.answered, prices.failed, prices.last_failure_kind) == (1, 1, "failing")
    assert (account.answered, account.failed) == (1, 0)
    assert set(prices.budget) == {"ticker"}
    assert prices.skew_s is not None
    assert abs(prices.skew_s) < 2
    assert prices.last_success_at
    assert prices.last_failure_at
    assert prices.last_success_at < prices.last_failure_at


def test_a_later_flush_is_one_statement_a_venue(django_assert_num_queries):
    with exchange(lambda *_: (200, [ticker("KRW-BTC", 5, datetime.now(UTC))])) as serving:
        client = UpbitClient(serving.url, retries=0)
        client.tickers(["KRW-BTC"])
        venue_stats.flush()
        client.tickers(["KRW-BTC"])
    with django_assert_num_queries(1):
        venue_stats.flush()


def test_the_facts_are_named_for_people_and_programs():
    known(budget={"ticker": 9}, skew_s=0.2, key_expires_at=Now() + timedelta(days=90))
    known(venue_stats.ACCOUNT, answered=3, failed=1, last_failure_kind="timeout")

    facts = {fact.name: (str(fact.label), fact.value) for fact in venue_stats.facts()}

    assert facts["upbit_left_ticker"] == ("Prices: requests left this second (ticker)", 9)
    assert facts["account_answered"] == ("Account: last calls answered", "3/4")
    assert facts["account_last_failure_kind"][1] == "timeout"
    assert "key_expires_at" in facts
    assert "upbit_limited_until" not in facts


def test_a_network_that_fails_is_noted_too():
    with pytest.raises(Unreachable):
        UpbitClient("http://127.0.0.1:9", retries=0).tickers(["KRW-BTC"])

    venue_stats.flush()

    assert VenueEvidence.objects.get().last_failure_kind == "unreachable"
