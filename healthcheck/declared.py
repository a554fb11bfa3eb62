"""What the settings ask for: probes, abilities and panels as typed values (docs/health.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from django.conf import settings
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from healthcheck.report import Finding

# The longest wait for a shared row; without an answer the probe runs here, and for this process only.
ROW_WAIT_S = 0.5

Place = Literal["top", "wide", "narrow"]
Context = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Work that the engine does in a thread of its own, and whose result it keeps.

    Attributes:
        needs: components without which this can't be done.
        timeout_s: after this the engine stops waiting; the work should bound itself a little below.
        ttl_s, ttl_bad_s: how long a healthy result, and any other, is served without asking again.
    """

    needs: tuple[str, ...] = ()
    timeout_s: float = 2
    ttl_s: float = 5
    ttl_bad_s: float = 3

    @property
    def allowance_s(self) -> float:
        """Time that the engine itself may take before the work begins."""
        return 0


@dataclass(frozen=True, kw_only=True)
class ProbeTask(Task):
    """One component and the function that judges it.

    Attributes:
        probe: dotted path of a function `() -> Finding`.
        label: the component's name for people; without one they read `name`.
        shared: all processes use one result, kept in a row of the database.
        evidence: dotted path of a function `() -> Sequence[Fact]`: what its state is judged by; "" for none.
        slow_ms: an answer within this is never called slow; None: none ever is.
    """

    name: str
    probe: str
    label: str | Promise = ""
    shared: bool = False
    evidence: str = ""
    slow_ms: float | None = 250

    @property
    def allowance_s(self) -> float:
        return ROW_WAIT_S if self.shared else 0


@dataclass(frozen=True, kw_only=True)
class AbilityTask(Task):
    """Something that the site can do while the components in `needs` are well.

    Attributes:
        label: for people, fit for a list: "place orders".
        probe: dotted path of a function `() -> Finding` that knows what the components do not; "" for none.
    """

    name: str
    label: str | Promise
    probe: str = ""


@dataclass(frozen=True, kw_only=True)
class PanelTask(Task):
    """One panel of the status page.

    Attributes:
        context: dotted path of a function `() -> dict`: the template's names, with plain values.
        public: shown to everybody, not only to staff.
        place: `top` is above the components and as wide; on a wide screen the others share two columns.
    """

    title: str | Promise
    template: str
    context: str
    public: bool = False
    place: Place = "wide"

    @property
    def name(self) -> str:
        return self.context


@dataclass(frozen=True)
class Panel:
    """One panel and its template's context, or the `Finding` that says why there is none."""

    task: PanelTask
    context: Context | Finding


@dataclass(frozen=True, kw_only=True)
class OwnTask(Task):
    """What the engine asks for itself."""

    name: str


NamedTask = ProbeTask | AbilityTask | PanelTask | OwnTask


def configured_probes() -> Sequence[ProbeTask]:
    """Return `HEALTH_PROBES`. A wrong entry raises; the system checks explain it (`healthcheck.checks`)."""
    return [ProbeTask(**entry) for entry in settings.HEALTH_PROBES]


def configured_panels() -> Sequence[PanelTask]:
    return [PanelTask(**entry) for entry in settings.STATUS_PANELS]


def configured_abilities() -> Sequence[AbilityTask]:
    return [AbilityTask(**entry) for entry in settings.HEALTH_ABILITIES]


def component_label(name: str) -> str | Promise:
    """Return a component's name for people; `name` itself where it has none or is not configured any more."""
    return next((task.label for task in configured_probes() if task.name == name and task.label), name)


def imported(path: str) -> Callable[[], Any]:
    """Return the function at a dotted path. Called late, in the thread that runs it."""
    return cast("Callable[[], Any]", import_string(path))


def plain(returned: Context) -> Context:
    """Run lazy queries here, in the panel's own thread, not while the page is rendered."""
    return {name: list(value) if isinstance(value, QuerySet) else value for name, value in returned.items()}
