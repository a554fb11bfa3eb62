"""The parts of a health answer: the findings of probes, the published JSON schemas, and the overall status.

See docs/health.md, rules 13 and 14.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Status = Literal["healthy", "unhealthy", "warning"]
Overall = Literal["healthy", "unhealthy", "degraded"]
Param = str | int | float
_F = TypeVar("_F", bound="Finding")

_FLAGS = ("judged", "paused", "ready", "timed_out")
_SLOW = gettext_noop("took %(took_ms).0f ms, over three times its usual 95th percentile of %(usual_ms).0f ms")


@dataclass(frozen=True, init=False)
class Finding:
    """The result of a probe: a status and one sentence with the value and its limit.

    `message` is an English msgid with `%(name)s` placeholders, marked by `gettext_noop` where it is written;
    `params` are JSON scalars. Never put an exception's text into either: it may hold a secret.

    Attributes:
        judged: False when the state could not be found out; it then counts in no uptime.
        paused: paused on purpose: healthy, and never downtime.
        ready: a warning that does not make `/readyz` fail.
        timed_out: no answer came in time, so there is no latency to report.
        inner: the finding whose sentence replaces `%(found)s`.

    Raises:
        KeyError, TypeError, ValueError: the placeholders do not fit the params.
    """

    status: Status
    message: str
    params: dict[str, Param]
    judged: bool = True
    paused: bool = False
    ready: bool = False
    timed_out: bool = False
    inner: "Finding | None" = None

    def __init__(self, status: Status, message: str, /, **params: Param) -> None:
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "params", params)
        self._filled(message)

    @classmethod
    def unjudged(cls, message: str, /, **params: Param) -> Self:
        return _with(cls("warning", message, **params), judged=False)

    @classmethod
    def pause(cls, message: str, /, **params: Param) -> Self:
        return _with(cls("healthy", message, **params), paused=True)

    @classmethod
    def ready_warning(cls, message: str, /, **params: Param) -> Self:
        return _with(cls("warning", message, **params), ready=True)

    @classmethod
    def timeout(cls, message: str, /, **params: Param) -> Self:
        return _with(cls("unhealthy", message, **params), timed_out=True)

    @classmethod
    def slow(cls, took_ms: float, usual_ms: float) -> Self:
        return cls.ready_warning(_SLOW, took_ms=took_ms, usual_ms=usual_ms)

    @classmethod
    def restored(
        cls, status: Status, message: str, params: Mapping[str, Param], flags: Mapping[str, bool]
    ) -> Self:
        """Return a finding as it was stored; flags that only another release knows are ignored."""
        return _with(
            cls(status, message, **params), **{name: flags[name] for name in _FLAGS if name in flags}
        )

    def around(self, inner: "Finding") -> Self:
        """Return a copy whose param `found` is the sentence of `inner`."""
        return _with(self, inner=inner)

    @property
    def flags(self) -> dict[str, bool]:
        """The flags to store: those that differ from the defaults."""
        own = {name: getattr(self, name) for name in _FLAGS}
        return {name: value for name, value in own.items() if value != getattr(Finding, name)}

    @property
    def english(self) -> str:
        """The sentence for JSON and logs, which are English whatever language is active."""
        return self._filled(self.message)

    def text(self) -> str:
        found = {"found": self.inner.text()} if self.inner else {}
        return self._filled(gettext(self.message), **found)

    def _filled(self, message: str, **replaced: Param) -> str:
        return message % {**self.params, **replaced} if self.params else message


def _with(finding: _F, **fields: bool | Finding) -> _F:
    changed = copy(finding)
    for name, value in fields.items():
        object.__setattr__(changed, name, value)
    return changed


@dataclass(frozen=True)
class Fact:
    """One piece of evidence for a component's state.

    `name` is for programs and stays the same, `label` is for people; times are aware UTC.
    """

    name: str
    label: str | Promise
    value: str | int | float | bool | datetime | None


class ComponentHealth(BaseModel):
    """One component. `latency_ms` and `message` are null for callers who may not see them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    status: Status
    latency_ms: Annotated[float, Field(ge=0, description="Null on a time-out.")] | None
    message: str | None


class SelectedHealthResponse(BaseModel):
    """The answer for some of the components, in the configured order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Overall
    timestamp: Annotated[AwareDatetime, Field(description="When these states were put together, UTC.")]
    version: str
    components: list[ComponentHealth]

    @model_validator(mode="after")
    def _status_adds_up(self) -> Self:
        if self.status != (right := overall(component.status for component in self.components)):
            raise ValueError(f"status must be {right}: that is what the components add up to")
        return self


class DetailedHealthResponse(SelectedHealthResponse):
    """The full answer: every configured component, in the configured order."""

    @model_validator(mode="after")
    def _components_as_configured(self) -> Self:
        names, expected = [component.name for component in self.components], component_names()
        if names != expected:
            raise ValueError(f"components must be {expected}, in this order, not {names}")
        return self


def component_names() -> list[str]:
    return [entry["name"] for entry in settings.HEALTH_PROBES]


def overall(statuses: Iterable[Status]) -> Overall:
    """Return the status of the whole site: unhealthy if any component is, else degraded if any has a warning.

    >>> overall(["healthy", "warning"])
    'degraded'
    """
    found = set(statuses)
    if "unhealthy" in found:
        return "unhealthy"
    return "degraded" if "warning" in found else "healthy"


def published_schema() -> dict[str, Any]:
    """Return the JSON schema of `DetailedHealthResponse`, with the names of the configured components."""
    schema = DetailedHealthResponse.model_json_schema()
    names = component_names()
    item = {"$ref": "#/$defs/ComponentHealth"}
    schema["properties"]["components"] |= {
        "minItems": len(names),
        "maxItems": len(names),
        "prefixItems": [{"allOf": [item, {"properties": {"name": {"const": name}}}]} for name in names],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
