"""JSON about one component, for programs: its state now, its history, and the evidence.

See docs/health.md, rules 15 and 21.
"""

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import override
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from healthcheck.access import answers_always, query_or_none, staff_json
from healthcheck.engine.engine import engine
from healthcheck.facts import facts
from healthcheck.history.queries import ComponentHistory, TransitionRow, histories, transitions
from healthcheck.report import Status, component_names
from healthcheck.snapshot import OverrideEffect

_STRICT = ConfigDict(frozen=True, extra="forbid")


class TransitionSchema(BaseModel):
    """One damped change of state. `lasted_s` is null while that state lasts."""

    model_config = _STRICT

    at: AwareDatetime
    before: Status
    after: Status
    message: str
    version: str
    lasted_s: float | None


class History(BaseModel):
    """A component's history; null where there is no record.

    Uptimes are percentages of the judged minutes, without the paused ones.
    """

    model_config = _STRICT

    status: Annotated[Status | None, Field(description="After damping.")]
    since: AwareDatetime | None
    last_good_at: AwareDatetime | None
    last_error_at: AwareDatetime | None
    last_error: str | None
    uptime_pct: dict[str, float | None]
    p50_ms: float | None
    p95_ms: float | None
    troubles_24h: int
    transitions: list[TransitionSchema]


class Evidence(BaseModel):
    """One fact on which the state is based."""

    model_config = _STRICT

    name: str
    label: str
    value: AwareDatetime | str | int | float | bool | None


class ComponentDetail(BaseModel):
    """The whole answer. `history` and `evidence` are null while the database does not answer."""

    model_config = _STRICT

    name: str
    status: Status
    latency_ms: float | None
    message: str
    measured_at: AwareDatetime
    age_s: float
    judged: bool
    paused: bool
    override: Annotated[OverrideEffect, Field(description='Override set by staff; "" for none.')]
    history: History | None
    evidence: Annotated[list[Evidence] | None, Field(description="Null while the database does not answer.")]


@answers_always
@staff_json
def component(request: HttpRequest, name: str) -> HttpResponse:
    """Answer a `ComponentDetail` to staff and callers with the token; 503 while it is unhealthy."""
    names = component_names()
    if name not in names:
        return JsonResponse(
            {"error": f"unknown: {name}; existing components: {', '.join(names)}"}, status=404
        )
    found = engine().component(name)
    answer = ComponentDetail(
        name=name,
        status=found.status,
        latency_ms=found.latency_ms,
        message=found.finding.english,
        measured_at=found.measured_at,
        age_s=round(found.age_s, 3),
        judged=found.judged,
        paused=found.paused,
        override=found.override,
        history=query_or_none(lambda: _published(histories()[name], transitions(name))),
        evidence=query_or_none(lambda: _evidence(name)),
    )
    status = 503 if found.status == "unhealthy" else 200
    return HttpResponse(answer.model_dump_json(), content_type="application/json", status=status)


@answers_always
def schema(request: HttpRequest) -> HttpResponse:
    published: dict[str, Any] = ComponentDetail.model_json_schema()
    return JsonResponse(published, content_type="application/schema+json")


def _evidence(name: str) -> list[Evidence]:
    with override("en"):
        return [Evidence(name=fact.name, label=str(fact.label), value=fact.value) for fact in facts(name)]


def _published(past: ComponentHistory, changes: list[TransitionRow]) -> History:
    return History(
        status=past.status,
        since=past.since,
        last_good_at=past.last_good_at,
        last_error_at=past.last_error_at,
        last_error=past.last_error.english if past.last_error else None,
        uptime_pct=dict(past.uptime_pct),
        p50_ms=past.p50_ms,
        p95_ms=past.p95_ms,
        troubles_24h=past.troubles_24h,
        transitions=[_change(change) for change in changes],
    )


def _change(row: TransitionRow) -> TransitionSchema:
    return TransitionSchema(
        at=row.at,
        before=row.before,
        after=row.after,
        message=row.finding.english,
        version=row.version,
        lasted_s=row.lasted.total_seconds() if row.lasted else None,
    )
