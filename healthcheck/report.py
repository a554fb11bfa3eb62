"""What a health answer says: findings, the two published schemas, and the overall rule (docs/health.md)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Status = Literal["healthy", "unhealthy", "warning"]
Overall = Literal["healthy", "unhealthy", "degraded"]
Param = str | int | float

_SLOW = gettext_noop("took %(took_ms).0f ms, over three times its usual 95th percentile of %(usual_ms).0f ms")


@dataclass(frozen=True, init=False)
class Finding:
    """What a probe found: a status and one sentence with the limit beside the value.

    `message` is an English msgid with `%(name)s` placeholders, marked by `gettext_noop` where it is written;
    `params` are JSON scalars. Never put an exception's text into either: it may hold a secret.

    Raises:
        KeyError, TypeError, ValueError: the placeholders do not fit the params.
    """

    status: Status
    message: str
    params: dict[str, Param]

    judged: ClassVar[bool] = True
    paused: ClassVar[bool] = False

    def __init__(self, status: Status, message: str, /, **params: Param) -> None:
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "params", params)
        self._filled(message)

    @property
    def english(self) -> str:
        """The sentence for JSON and logs, whatever language is active."""
        return self._filled(self.message)

    def text(self) -> str:
        """Return the sentence in the active language."""
        return self._filled(gettext(self.message))

    def _filled(self, message: str) -> str:
        return message % self.params if self.params else message


class TimeOut(Finding):
    """Unhealthy because no answer came in time: how long that took says nothing, so the latency is null."""

    def __init__(self, message: str, /, **params: Param) -> None:
        super().__init__("unhealthy", message, **params)


class Unjudged(Finding):
    """A warning because nobody can tell: neither up nor down, so it counts in no uptime (rule 13)."""

    judged: ClassVar[bool] = False

    def __init__(self, message: str, /, **params: Param) -> None:
        super().__init__("warning", message, **params)


class Paused(Finding):
    """Healthy because it rests on purpose, with the reason: never red, never downtime (rule 14)."""

    paused: ClassVar[bool] = True

    def __init__(self, message: str, /, **params: Param) -> None:
        super().__init__("healthy", message, **params)


class ReadyAnyway(Finding):
    """A warning about what works more slowly, but truly: `/readyz` does not take the process away for it."""

    def __init__(self, message: str, /, **params: Param) -> None:
        super().__init__("warning", message, **params)


class Slow(ReadyAnyway):
    """It answers rightly, but takes much longer than it usually does (rule 18)."""

    def __init__(self, took_ms: float, usual_ms: float) -> None:
        super().__init__(_SLOW, took_ms=took_ms, usual_ms=usual_ms)


class Around(Finding):
    """A finding around another one, whose sentence it tells in the place of `%(found)s`."""

    inner: Finding

    def __init__(self, status: Status, message: str, inner: Finding, /, **params: Param) -> None:
        super().__init__(status, message, found=inner.english, **params)
        object.__setattr__(self, "inner", inner)

    def text(self) -> str:
        return gettext(self.message) % {**self.params, "found": self.inner.text()}


class PausedAround(Around):
    """Paused on purpose, and what would be said without that."""

    paused: ClassVar[bool] = True

    def __init__(self, message: str, inner: Finding, /, **params: Param) -> None:
        super().__init__("healthy", message, inner, **params)


@dataclass(frozen=True)
class Fact:
    """One piece of evidence for a component's state, for people and programs.

    `name` is stable English for programs, `label` for people; a value of time is aware UTC.
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
    """The whole answer: every configured component, in the configured order."""

    @model_validator(mode="after")
    def _components_as_configured(self) -> Self:
        names, expected = [component.name for component in self.components], component_names()
        if names != expected:
            raise ValueError(f"components must be {expected}, in this order, not {names}")
        return self


def component_names() -> list[str]:
    """Return the configured components' names, in the order of every answer."""
    return [entry["name"] for entry in settings.HEALTH_PROBES]


def overall(statuses: Iterable[Status]) -> Overall:
    """Return what the components add up to: any unhealthy wins, then any warning.

    >>> overall(["healthy", "warning"])
    'degraded'
    """
    found = set(statuses)
    if "unhealthy" in found:
        return "unhealthy"
    return "degraded" if "warning" in found else "healthy"


def published_schema() -> dict[str, Any]:
    """Return the JSON schema of `DetailedHealthResponse`, with the configured components spelt out."""
    schema = DetailedHealthResponse.model_json_schema()
    names = component_names()
    item = {"$ref": "#/$defs/ComponentHealth"}
    schema["properties"]["components"] |= {
        "minItems": len(names),
        "maxItems": len(names),
        "prefixItems": [{"allOf": [item, {"properties": {"name": {"const": name}}}]} for name in names],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
