"""Health of the exchange from the trader's own calls (docs/market-data.md, M10 to M12)."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from tests.clients.peer import LONG_TIMEOUT_S
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
def fresh_call_logs(monkeypatch):
    """New call logs, without the calls of other tests."""
    for name, venue in (("UPBIT", venue_stats.UPBIT), ("ACCOUNT", venue_stats.ACCOUNT)):
        monkeypatch.setattr(call_log, name, call_log.CallLog())
        monkeypatch.setitem(venue_stats._CALL_LOGS, venue, getattr(call_log, name))
    monkeypatch.setattr(venue_stats, "_saved_versions", {})


@pytest.fixture
def no_exchange(settings):
    """Nothing listens where the exchange should be."""
    settings.UPBIT_URL = "http://127.0.0.1:9"


def ago(**span):
    return Now() - timedelta(**span)


def stored_stats(venue=venue_stats.UPBIT, **facts):
    facts = {"answered": 20, "last_success_at": ago(seconds=4), "p50_ms": 31.0} | facts
    VenueEvidence.objects.update_or_create(venue=venue, defaults={"key_checked_at": Now(), **facts})


def probe():
    finding = probes.upbit_api()
    return finding.status, finding.english


@pytest.mark.usefixtures("no_exchange")
def test_recent_answer_is_healthy_without_a_request():
    stored_stats()

    status, text = probe()

    assert status == "healthy"
    assert re.fullmatch(r"prices were answered \d+ s ago: 20 of the last 20 calls, in 31 ms", text)


@pytest.mark.usefixtures("no_exchange")
@pytest.mark.parametrize(
    "facts",
    [
        {"last_success_at": ago(seconds=31)},
        {"last_failure_at": ago(seconds=1), "failed": 1},
        {"last_success_at": None},
    ],
    ids=["old", "failed since", "never"],
)
def test_probe_sends_a_request_after_a_failed_or_old_call(facts):
    stored_stats(**facts)

    assert probe() == ("unhealthy", "Upbit cannot be reached: check the network and UPBIT_API_URL")


@pytest.mark.parametrize(("banned", "status"), [(True, "unhealthy"), (False, "warning")])
def test_limit_or_ban_is_reported_with_its_end_without_a_request(settings, banned, status):
    end = datetime.now(UTC) + timedelta(minutes=5)
    stored_stats(limited_until=end, banned=banned)
    with exchange(lambda *_: (200, [])) as serving:
        settings.UPBIT_URL = serving.url
        finding = probe()

    assert finding[0] == status
    assert f"until {end:%H:%M:%S} UTC" in finding[1]
    assert serving.paths == []


def prices():
    return exchange(lambda *_: (200, [ticker("KRW-BTC", 5, datetime.now(UTC))]))


def test_ban_of_our_key_stops_every_probe_request(settings):
    end = datetime.now(UTC) + timedelta(minutes=5)
    stored_stats(last_success_at=ago(minutes=5))
    stored_stats(venue_stats.ACCOUNT, limited_until=end, banned=True)
    with prices() as serving:
        settings.UPBIT_URL = serving.url
        status, text = probe()

    assert (status, serving.paths) == ("unhealthy", [])
    assert f"until {end:%H:%M:%S} UTC" in text


def test_last_requests_of_a_second_are_left_to_the_trader(settings):
    in_a_minute = ago(minutes=-1)  # so that this second is not over when the probe looks
    stored_stats(budget={"ticker": 2}, last_success_at=in_a_minute, last_failure_at=in_a_minute)
    with prices() as serving:
        settings.UPBIT_URL = serving.url
        finding = probe()

    assert finding == ("warning", "only 2 requests to Upbit are left in this second, so none was sent")
    assert serving.paths == []


@pytest.mark.parametrize("facts", [{"answered": 9, "failed": 11}, {"skew_s": 9.0}])
def test_old_failures_and_skew_do_not_count(settings, facts):
    stored_stats(**{"last_success_at": ago(minutes=11), **facts})
    with prices() as serving:
        settings.UPBIT_URL = serving.url
        assert probe()[0] == "healthy"


@pytest.mark.usefixtures("no_exchange")
def test_few_answers_are_a_warning():
    stored_stats(answered=9, failed=11, last_failure_at=ago(seconds=9), last_failure_kind="timeout")

    assert probe() == (
        "warning", "only 9 of the last 20 calls were answered, the last failure: timeout"
    )  # fmt: skip


@pytest.mark.usefixtures("no_exchange")
@pytest.mark.parametrize("skew_s", [2.6, -2.6])
def test_clock_skew_is_a_warning(skew_s):
    stored_stats(skew_s=skew_s)

    assert probe() == ("warning", f"our clock is {skew_s} s off Upbit's, limit 2.0 s: set it by NTP")


@pytest.mark.usefixtures("no_exchange")
def test_failing_account_calls_are_unhealthy_while_prices_answer():
    failing = {"answered": 0, "failed": 3, "last_success_at": None, "last_failure_at": ago(seconds=9)}
    stored_stats()
    stored_stats(venue_stats.ACCOUNT, **failing, last_failure_kind="failing")
    assert probe() == (
        "unhealthy", "none of the last 3 calls to our account was answered, the last: failing"
    )  # fmt: skip

    stored_stats(venue_stats.ACCOUNT, last_failure_kind="key", last_failure_at=ago(seconds=1))
    status, text = probe()
    assert (status, text.split(":")[0]) == ("unhealthy", "Upbit does not accept the API key")


@pytest.mark.usefixtures("no_exchange")
@pytest.mark.parametrize(("days", "status"), [(31, "healthy"), (23, "warning"), (-1, "unhealthy")])
def test_key_expiry_is_reported_a_month_before(days, status):
    stored_stats(key_expires_at=Now() + timedelta(days=days, hours=1))

    finding = probe()

    assert finding[0] == status
    assert ("expires in 23 days" in finding[1]) == (days == 23)


def test_key_is_checked_once_in_six_hours(settings):
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=12)
    with SandboxServer(options=Options(api_key=ApiKey(expires_at=ends))) as server:
        settings.UPBIT_URL = server.url
        first, second = probe(), probe()
        assert first == second  # the first check already knows the end
        first_checks = [each.request.path for each in server.requests if "api_keys" in each.request.path]
        VenueEvidence.objects.update(key_checked_at=ago(hours=7))
        probe()
        all_checks = [each.request.path for each in server.requests if "api_keys" in each.request.path]

    assert VenueEvidence.objects.get(venue=venue_stats.UPBIT).key_expires_at == ends
    assert second[0] == "warning"
    assert "the API key expires in 11 days" in second[1]
    assert (len(first_checks), len(all_checks)) == (1, 2)


def test_refused_key_stays_unhealthy(settings):
    settings.UPBIT_SECRET_KEY = "not-the-one-" * 6
    with SandboxServer() as server:
        settings.UPBIT_URL = server.url
        findings = [probe() for _ in range(3)]

    assert {(status, text.split(":")[0]) for status, text in findings} == {
        ("unhealthy", "Upbit does not accept the API key")
    }


def test_flush_writes_new_calls_once(settings, django_assert_num_queries):
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
    assert abs(prices.skew_s) < LONG_TIMEOUT_S
    assert prices.last_success_at
    assert prices.last_failure_at
    assert prices.last_success_at < prices.last_failure_at


def test_later_flush_is_one_statement_a_venue(django_assert_num_queries):
    with exchange(lambda *_: (200, [ticker("KRW-BTC", 5, datetime.now(UTC))])) as serving:
        client = UpbitClient(serving.url, retries=0)
        client.tickers(["KRW-BTC"])
        venue_stats.flush()
        client.tickers(["KRW-BTC"])
    with django_assert_num_queries(1):
        venue_stats.flush()


def test_facts_have_labels_and_names():
    stored_stats(budget={"ticker": 9}, skew_s=0.2, key_expires_at=Now() + timedelta(days=90))
    stored_stats(venue_stats.ACCOUNT, answered=3, failed=1, last_failure_kind="timeout")

    facts = {fact.name: (str(fact.label), fact.value) for fact in venue_stats.facts()}

    assert facts["upbit_left_ticker"] == ("Prices: requests left this second (ticker)", 9)
    assert facts["account_answered"] == ("Account: last calls answered", "3/4")
    assert facts["account_last_failure_kind"][1] == "timeout"
    assert "key_expires_at" in facts
    assert "upbit_limited_until" not in facts


def test_network_failure_is_recorded():
    with pytest.raises(Unreachable):
        UpbitClient("http://127.0.0.1:9", retries=0).tickers(["KRW-BTC"])

    venue_stats.flush()

    assert VenueEvidence.objects.get().last_failure_kind == "unreachable"
