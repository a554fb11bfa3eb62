"""Health probes of the model and of the signals (docs/signals.md D13)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from healthcheck.templatetags.moments import moment_text
from sysconfig.models import SystemConfig
from sysconfig.registry import UnreadableConfig
from tradingsite.clients.errors import ClientError, KeyRejected, NotFound, RateLimited, Rejected
from tradingsite.clients.factory import gemini_client
from tradingsite.clients.findings import FailureTexts, failure_finding
from tradingsite.strategy.budget import SIGNAL_INTERVAL
from tradingsite.strategy.model_stats import ModelStats, recent_calls
from tradingsite.strategy.models import ModelCall, TradingSignal

WITHIN_S = 3.5
"""Less than the engine's limit of four seconds, so that the client's error is reported, not a timeout."""
SIGNAL_LIMIT = timedelta(hours=1)
SLACK = timedelta(minutes=5)
"""From a tick to the last market's signal if every call takes its full time."""
FAILURES_REPORTED = 2
"""One failure is a coincidence; two in a row are an hour without advice."""
_FAILURES = FailureTexts(
    timed_out=gettext_noop("Gemini gave no answer within %(limit)s s: check the network and GEMINI_API_URL"),
    unreachable=gettext_noop("Gemini cannot be reached: check the network and GEMINI_API_URL"),
    unavailable=gettext_noop("Gemini fails with status %(status)s: it is overloaded or down, wait"),
    invalid=gettext_noop("Gemini's answer is not as documented: its interface may have changed"),
)


def gemini_api() -> Finding:
    """Judge by the trader's own calls.

    If they are old or failed, request the model's metadata, which is free.
    """
    try:
        model = SystemConfig.objects.get_value("ai_model")
    except UnreadableConfig:
        return Finding("unhealthy", gettext_noop("ai_model cannot be read: correct it in admin"))
    known = recent_calls(model)
    if until := known.quota_until:
        return _quota(until)
    if known.is_fresh and known.newest and not known.newest.error_kind:
        return _answered(known, known.newest)
    found = _check_metadata(model)
    if found.status == "healthy" and known.is_fresh and known.failures_in_a_row >= FAILURES_REPORTED:
        text = gettext_noop(
            "%(model)s is available, but its last %(count)s calls failed, the newest by %(kind)s"
        )
        kind = known.newest.error_kind if known.newest else ""
        return Finding("warning", text, model=model, count=known.failures_in_a_row, kind=kind)
    return found


def _answered(known: ModelStats, newest: ModelCall) -> Finding:
    text = gettext_noop(
        "%(model)s answered %(minutes)s min ago in %(seconds)s s, %(answered)s of its last %(calls)s calls"
    )
    return Finding(
        "healthy",
        text,
        model=newest.model_asked,
        minutes=_minutes(known.now - (newest.ended_at or known.now)),
        seconds=round((newest.latency_ms or 0) / 1000, 1),
        answered=known.answered,
        calls=len(known.calls),
    )


def _quota(until: datetime) -> Finding:
    until_text = moment_text(until, "time")
    return Finding("warning", gettext_noop("Gemini's quota is used up until %(until)s UTC"), until=until_text)


def _check_metadata(model: str) -> Finding:
    """Request the model's metadata: proves network, key and name, and costs no tokens."""
    try:
        gemini_client().model(model, within_s=WITHIN_S)
    except ClientError as error:
        return failure_finding(
            error, _FAILURES, within_s=WITHIN_S, limited=_limited, rejected=partial(_rejected, model)
        )
    return Finding("healthy", gettext_noop("%(model)s is available"), model=model)


def recent_signal() -> Finding:
    """Report the last signal and how late the next one is, by the database's clock.

    A warning if there is no signal in the last hour, or if the model's last calls all failed.
    """
    age = ExpressionWrapper(Now() - F("created_at"), output_field=DurationField())
    newest = (
        TradingSignal.objects.order_by("-created_at")
        .values("decision", "market", "reason_code", age=age)
        .first()
    )
    if newest is None:
        return Finding("warning", gettext_noop("no signal yet"))
    minutes = _minutes(newest["age"])
    late = _minutes(newest["age"] - SIGNAL_INTERVAL)
    if newest["age"] > SIGNAL_LIMIT:
        text = gettext_noop(
            "the last signal was %(minutes)s min ago, limit 60 min: the next is %(late)s min late"
        )
        return Finding("warning", text, minutes=minutes, late=late)
    return _failing(minutes) or _recent(newest, minutes, late)


def _recent(newest: Mapping[str, Any], minutes: int, late: int) -> Finding:
    facts = {"market": newest["market"], "minutes": minutes}
    # A HOLD that the model itself advised has no reason code.
    facts["decision"] = " ".join(filter(None, [newest["decision"], newest["reason_code"]]))
    if newest["age"] > SIGNAL_INTERVAL + SLACK:
        text = gettext_noop("%(decision)s for %(market)s, %(minutes)s min ago: the next is %(late)s min late")
        return Finding("healthy", text, late=late, **facts)
    return Finding("healthy", gettext_noop("%(decision)s for %(market)s, %(minutes)s min ago"), **facts)


def _failing(minutes: int) -> Finding | None:
    newest = ModelCall.objects.filter(ended_at__isnull=False).order_by("-started_at", "-pk")
    model = newest.values_list("model_asked", flat=True).first()
    failures = ModelCall.objects.failures_in_a_row(model) if model else []
    if len(failures) < FAILURES_REPORTED:
        return None
    text = gettext_noop(
        "the model's last %(count)s calls failed, the newest by %(kind)s; last signal %(minutes)s min ago"
    )
    return Finding("warning", text, count=len(failures), kind=failures[0].error_kind, minutes=minutes)


def _minutes(time: timedelta) -> int:
    return max(0, int(time / timedelta(minutes=1)))


def _limited(error: RateLimited) -> Finding:
    return _quota(timezone.now() + timedelta(seconds=error.retry_after_s))


def _rejected(model: str, error: Rejected) -> Finding:
    if isinstance(error, KeyRejected):
        return Finding(
            "unhealthy", gettext_noop("Gemini does not accept the API key: set GEMINI_API_KEY anew")
        )
    if isinstance(error, NotFound):
        text = gettext_noop("Gemini does not know the model %(model)s: correct ai_model in admin")
    elif error.status == 200:
        text = gettext_noop("the model %(model)s cannot give advice: choose another ai_model in admin")
    else:
        text = gettext_noop("Gemini refuses the request for %(model)s: check ai_model in admin")
    return Finding("unhealthy", text, model=model)
