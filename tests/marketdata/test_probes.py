"""Health of the exchange, over real HTTP: a message for each error that says what to do."""

import re
from datetime import timedelta
from threading import Event

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from sysconfig.models import SystemConfig
from tests.clients.peer import LONG_TIMEOUT_S
from tests.marketdata.exchange import error, exchange, ticker
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.marketdata import probes
from tradingsite.marketdata.collection import collect
from tradingsite.marketdata.models import Poll, Ticker
from tradingsite.sandbox.server import SandboxServer

pytestmark = pytest.mark.django_db

SILENT = "Upbit cannot be reached: check the network and UPBIT_API_URL"


@pytest.fixture
def probe(settings):
    """Return a function that probes an exchange with this answer; it returns finding and requested paths."""

    def probe(answer):
        with exchange(answer) as serving:
            settings.UPBIT_URL = serving.url
            return probes.upbit_api(), serving.paths

    return probe


def test_working_exchange_is_healthy_with_price_and_age(probe):
    """The key's end is requested, too, once in six hours."""
    traded_at = timezone.now() - timedelta(seconds=42)

    finding, paths = probe(lambda *_: (200, [ticker("KRW-BTC", 148601000, traded_at)]))

    assert finding.status == "healthy"
    found = re.fullmatch(r"KRW-BTC at 148,601,000, traded (\d+) s ago", finding.english)
    assert found
    assert 42 <= int(found[1]) < 42 + LONG_TIMEOUT_S
    assert paths == ["/v1/ticker", "/v1/api_keys"]


def test_probe_requests_the_first_configured_market(probe):
    SystemConfig.objects.set_values({"markets": "KRW-ETH,KRW-BTC"})

    finding, _ = probe(lambda _, markets: (200, [ticker(market, 5.5, timezone.now()) for market in markets]))

    assert finding.english.startswith("KRW-ETH at 5.5, traded ")


def test_probe_and_collection_work_with_the_sandbox(settings):
    markets = ["KRW-BTC", "KRW-ETH", "KRW-NONE"]
    with SandboxServer() as server:
        settings.UPBIT_URL = server.url
        finding = probes.upbit_api()
        counts = collect(UpbitClient(server.url), markets, timezone.now())

    assert finding.status == "healthy"
    assert (counts["stored"], counts["missing"], counts["refused"]) == (2, 1, 0)
    assert set(Ticker.objects.values_list("market", flat=True)) == {"KRW-BTC", "KRW-ETH"}
    assert Poll.objects.get().markets == ["KRW-BTC", "KRW-ETH"]


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (
            error(503),
            "unhealthy",
            "Upbit fails with status 503: see whether it announced maintenance",
        ),
        (error(404), "unhealthy", "Upbit does not know KRW-BTC: correct markets in admin"),
        (error(400), "unhealthy", "Upbit refuses the request for KRW-BTC, status 400"),
        ((200, "<html>"), "unhealthy", "Upbit's answer is not as documented: its interface may have changed"),
        ((200, []), "unhealthy", "Upbit's answer is not as documented: its interface may have changed"),
    ],
    ids=["5xx", "unknown market", "other refusal", "not JSON", "nothing"],
)
def test_each_error_of_the_exchange_has_its_message_after_one_request(probe, answer, status, message):
    finding, paths = probe(lambda *_: answer)

    assert (finding.status, finding.english) == (status, message)
    assert paths == ["/v1/ticker"]


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ((429, "Too many API requests."), "warning", r"Upbit limits our requests until \d\d:\d\d:\d\d UTC"),
        (
            error(418),
            "unhealthy",
            r"Upbit blocks our address until \d\d:\d\d:\d\d UTC; nothing is sent before",
        ),
    ],
    ids=["429", "418"],
)
def test_rate_limit_and_ban_are_reported_with_their_end(probe, answer, status, message):
    finding, _ = probe(lambda *_: answer)

    assert finding.status == status
    assert re.fullmatch(message, finding.english)


def test_stopped_exchange_is_unhealthy(probe):
    probe(lambda *_: error(503))

    finding = probes.upbit_api()

    assert (finding.status, finding.english) == ("unhealthy", SILENT)


def test_silent_exchange_times_out_at_the_probes_limit(settings, monkeypatch):
    monkeypatch.setattr(probes, "WITHIN_S", 0.2)
    given_up = Event()

    with exchange(lambda *_: (503, str(given_up.wait()))) as serving:
        settings.UPBIT_URL = serving.url
        finding = probes.upbit_api()
        given_up.set()

    assert finding.timed_out
    assert finding.english == "Upbit gave no answer within 0.2 s: check the network and UPBIT_API_URL"


def test_unreadable_markets_setting_is_reported_without_a_request(probe):
    SystemConfig.objects.filter(key="markets").update(value="bitcoin")

    finding, paths = probe(lambda *_: error(503))

    assert finding.status == "unhealthy"
    assert finding.english == "markets cannot be read: correct it in admin"
    assert paths == []


@pytest.mark.django_db(transaction=True)
def test_database_error_propagates_to_the_engine():
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises((OperationalError, InterfaceError)):
        probes.upbit_api()
    connection.close()
