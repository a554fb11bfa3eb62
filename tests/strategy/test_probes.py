"""Health of model and signals: a message for each error that says what to do."""

import re
from datetime import timedelta
from threading import Event

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone

from sysconfig.models import SystemConfig
from tests.marketdata.exchange import exchange
from tradingsite.sandbox.server import SandboxServer
from tradingsite.strategy import probes
from tradingsite.strategy.models import ModelCall, TradingSignal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("patient_probes")]

MODEL = "gemini-3.5-flash-lite"
SILENT = "Gemini cannot be reached: check the network and GEMINI_API_URL"


def refusal(code: int, status: str, reason: str = "") -> tuple[int, object]:
    """Return an error in Gemini's format."""
    details = [{"reason": reason}] if reason else []
    return code, {"error": {"code": code, "message": "no", "status": status, "details": details}}


@pytest.fixture
def probe(settings):
    """Return a function that probes a host with this answer and returns finding and requested paths."""
    settings.GEMINI_API_KEY = "test-key"

    def probe(*answer):
        with exchange(lambda *_: answer) as serving:
            settings.GEMINI_URL = serving.url
            return probes.gemini_api(), serving.paths

    return probe


def test_available_model_is_healthy_after_one_request(probe):
    finding, paths = probe(
        200, {"name": f"models/{MODEL}", "supportedGenerationMethods": ["generateContent"]}
    )

    assert (finding.status, finding.english) == ("healthy", f"{MODEL} is available")
    assert paths == [f"/v1beta/models/{MODEL}"]


def test_sandbox_has_the_default_model(settings):
    settings.GEMINI_API_KEY = "sandbox-gemini-key"
    with SandboxServer() as server:
        settings.GEMINI_URL = server.url

        assert probes.gemini_api().status == "healthy"


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (
            refusal(404, "NOT_FOUND"),
            "unhealthy",
            f"Gemini does not know the model {MODEL}: correct ai_model in admin",
        ),
        (
            (200, {"name": f"models/{MODEL}", "supportedGenerationMethods": ["embedContent"]}),
            "unhealthy",
            f"the model {MODEL} cannot give advice: choose another ai_model in admin",
        ),
        (
            refusal(400, "FAILED_PRECONDITION"),
            "unhealthy",
            f"Gemini refuses the request for {MODEL}: check ai_model in admin",
        ),
        (
            refusal(400, "INVALID_ARGUMENT", "API_KEY_INVALID"),
            "unhealthy",
            "Gemini does not accept the API key: set GEMINI_API_KEY anew",
        ),
        (
            refusal(403, "PERMISSION_DENIED"),
            "unhealthy",
            "Gemini does not accept the API key: set GEMINI_API_KEY anew",
        ),
        (
            refusal(429, "RESOURCE_EXHAUSTED"),
            "warning",
            r"Gemini's quota is used up until \d\d:\d\d:\d\d UTC",
        ),
        (
            refusal(503, "UNAVAILABLE"),
            "unhealthy",
            "Gemini fails with status 503: it is overloaded or down, wait",
        ),
        (
            (200, "<html>"),
            "unhealthy",
            "Gemini's answer is not as documented: its interface may have changed",
        ),
    ],
    ids=["unknown", "cannot generate", "other refusal", "key", "forbidden", "quota", "5xx", "not JSON"],
)
def test_each_error_of_the_host_has_its_message_after_one_request(probe, answer, status, message):
    finding, paths = probe(*answer)

    assert finding.status == status
    assert re.fullmatch(message, finding.english)
    assert len(paths) == 1


def test_missing_key_is_reported_without_a_request(probe, settings):
    settings.GEMINI_API_KEY = ""

    finding, paths = probe(200, {})

    assert finding.english == "Gemini does not accept the API key: set GEMINI_API_KEY anew"
    assert paths == []


def test_stopped_host_is_unhealthy(probe):
    probe(200, {})

    finding = probes.gemini_api()

    assert (finding.status, finding.english) == ("unhealthy", SILENT)


def test_silent_host_times_out_at_the_probes_limit(settings, monkeypatch):
    settings.GEMINI_API_KEY = "test-key"
    monkeypatch.setattr(probes, "WITHIN_S", 0.2)
    given_up = Event()

    with exchange(lambda *_: (503, str(given_up.wait()))) as serving:
        settings.GEMINI_URL = serving.url
        finding = probes.gemini_api()
        given_up.set()

    assert finding.timed_out
    assert finding.english == "Gemini gave no answer within 0.2 s: check the network and GEMINI_API_URL"


def test_unreadable_model_setting_is_reported_without_a_request(probe):
    SystemConfig.objects.filter(key="ai_model").update(value="")

    finding, paths = probe(200, {})

    assert finding.status == "unhealthy"
    assert finding.english == "ai_model cannot be read: correct it in admin"
    assert paths == []


@pytest.mark.django_db(transaction=True)
def test_database_error_propagates_to_the_engine():
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises((OperationalError, InterfaceError)):
        probes.gemini_api()
    connection.close()


def signal_made(ago: timedelta, market: str = "KRW-BTC", **facts) -> None:
    TradingSignal.objects.create(
        market=market, tick=Now() - ago, as_of=Now() - ago, created_at=Now() - ago, decision="HOLD", **facts
    )


def called(ago_min: int, kind: str = "", model: str = MODEL, *, ended: bool = True) -> None:
    started = timezone.now() - timedelta(minutes=ago_min)
    ModelCall.objects.create(
        market="KRW-BTC",
        tick=started,
        started_at=started,
        ended_at=started if ended else None,
        model_asked=model,
        error_kind=kind,
    )


def test_no_signal_yet_is_a_warning():
    finding = probes.recent_signal()

    assert (finding.status, finding.english) == ("warning", "no signal yet")


@pytest.mark.parametrize(
    ("minutes", "status", "message"),
    [
        (0, "healthy", "HOLD for KRW-BTC, 0 min ago"),
        (34.5, "healthy", "HOLD for KRW-BTC, 34 min ago"),
        (35.1, "healthy", "HOLD for KRW-BTC, 35 min ago: the next is 5 min late"),
        (59.5, "healthy", "HOLD for KRW-BTC, 59 min ago: the next is 29 min late"),
        (60.1, "warning", "the last signal was 60 min ago, limit 60 min: the next is 30 min late"),
        (-5, "healthy", "HOLD for KRW-BTC, 0 min ago"),
    ],
)
def test_signal_is_recent_for_an_hour_by_the_databases_clock(minutes, status, message):
    signal_made(timedelta(hours=3), "KRW-ETH")
    signal_made(timedelta(minutes=minutes))

    finding = probes.recent_signal()

    assert (finding.status, finding.english) == (status, message)


def test_hold_without_the_model_has_its_reason():
    signal_made(timedelta(minutes=3), reason_code="stale_input")

    assert probes.recent_signal().english == "HOLD stale_input for KRW-BTC, 3 min ago"


def test_two_failed_calls_in_a_row_are_a_warning():
    signal_made(timedelta(minutes=3))
    called(120)
    called(63, "auth")
    assert probes.recent_signal().status == "healthy"

    called(33, "overloaded")
    called(3, ended=False)

    finding = probes.recent_signal()
    assert (finding.status, finding.english) == (
        "warning",
        "the model's last 2 calls failed, the newest by overloaded; last signal 3 min ago",
    )


def test_success_or_another_model_resets_the_failures():
    signal_made(timedelta(minutes=3))
    for ago_min in (90, 60):
        called(ago_min, "config")
    assert probes.recent_signal().status == "warning"

    called(30, "config", "gemini-3.8-flash")
    assert probes.recent_signal().status == "healthy"
    called(20, "config", "gemini-3.8-flash")
    assert probes.recent_signal().status == "warning"
    called(3, "", "gemini-3.8-flash")
    assert probes.recent_signal().status == "healthy"
