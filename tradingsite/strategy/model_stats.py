"""How the model's last calls went, for its health probe, from the rows of the calls (docs/signals.md D13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from healthcheck.report import Fact
from tradingsite.strategy.budget import SIGNAL_INTERVAL
from tradingsite.strategy.models import ModelCall

FRESH = SIGNAL_INTERVAL + timedelta(minutes=5)
"""How long the newest call counts for the model's health."""
CALLS_COUNTED = 20


@dataclass(frozen=True)
class ModelStats:
    """The last ended calls of one model, newest first, and the database's clock when they were read."""

    calls: Sequence[ModelCall]
    now: datetime

    @property
    def newest(self) -> ModelCall | None:
        return self.calls[0] if self.calls else None

    @property
    def is_fresh(self) -> bool:
        newest = self.newest
        return newest is not None and newest.ended_at is not None and self.now - newest.ended_at <= FRESH

    @property
    def answered(self) -> int:
        return sum(not call.error_kind for call in self.calls)

    @property
    def failures_in_a_row(self) -> int:
        return next((n for n, call in enumerate(self.calls) if not call.error_kind), len(self.calls))

    @property
    def quota_until(self) -> datetime | None:
        """Until when the quota is used up; None if it is not."""
        ends = [call.not_before for call in self.calls if call.not_before and call.not_before > self.now]
        return max(ends, default=None)


def recent_calls(model: str) -> ModelStats:
    """Return the last calls of `model`, with one query. Raises django.db.Error."""
    ended = ModelCall.objects.filter(model_asked=model, ended_at__isnull=False).order_by("-started_at", "-pk")
    calls: list[Any] = list(
        ended.defer("prompt", "instruction", "response").annotate(now=Now())[:CALLS_COUNTED]
    )
    return ModelStats(calls, calls[0].now if calls else timezone.now())


def facts() -> Sequence[Fact]:
    """Return the evidence for the model's health page: the calls of the model that was called last."""
    newest = ModelCall.objects.filter(ended_at__isnull=False).order_by("-started_at", "-pk")
    model = newest.values_list("model_asked", flat=True).first()
    if model is None:
        return [_PROBE_COST]
    known = recent_calls(model)
    answered = next((call for call in known.calls if not call.error_kind), None)
    failed = next((call for call in known.calls if call.error_kind), None)
    return [
        Fact("model", _("model"), model),
        Fact("answered", _("last calls answered"), f"{known.answered}/{len(known.calls)}"),
        Fact("last_success_at", _("last answer"), answered.ended_at if answered else None),
        Fact(
            "last_latency_ms",
            _("duration of the last answer in ms"),
            answered.latency_ms if answered else None,
        ),
        Fact("last_failure_at", _("last failure"), failed.ended_at if failed else None),
        Fact("last_failure_kind", _("kind of the last failure"), failed.error_kind if failed else None),
        Fact("quota_until", _("quota used up until"), known.quota_until),
        _PROBE_COST,
    ]


_PROBE_COST = Fact("probe_tokens", _("tokens that this check has cost"), 0)
