"""Reads the health settings (`HEALTH_PROBES`, `HEALTH_ABILITIES`, `STATUS_PANELS`) as typed values.

They are described in docs/health.md, "Adding a probe or a panel".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from django.conf import settings
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from healthcheck.report import Finding

# The longest wait for the row of a shared result. After it this process runs the probe for itself only.
ROW_WAIT_S = 0.5

Place = Literal["top", "wide", "narrow"]
Context = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A function that the engine runs in its own thread, and whose result it keeps.

    Attributes:
        needs: components that must be healthy or warning for this to run.
        timeout_s: after this the engine stops waiting. The function should end by itself a little earlier.
        ttl_s, ttl_bad_s: for how long a healthy result, or any other result, is served without a new run.
    """

    needs: tuple[str, ...] = ()
    timeout_s: float = 2
    ttl_s: float = 5
    ttl_bad_s: float = 3

    @property
    def allowance_s(self) -> float:
        """Extra seconds that the engine itself may need before the function starts."""
        return 0


@dataclass(frozen=True, kw_only=True)
class ProbeTask(Task):
    """One component and the function that judges it.

    Attributes:
        probe: dotted path of a function `() -> Finding`.
        label: the component's name for people; "" shows `name`.
        shared: all processes use one result, kept in a row of the database.
        evidence: dotted path of a function `() -> Sequence[Fact]` with the facts behind its state; "" for
            none.
        slow_ms: an answer within this time is never called slow; None: no answer is.
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
    """Something that the site can do while the components in `needs` work.

    Attributes:
        label: for people, worded for a list: "place orders".
        probe: dotted path of a function `() -> Finding` for what the components do not cover; "" for none.
    """

    name: str
    label: str | Promise
    probe: str = ""


@dataclass(frozen=True, kw_only=True)
class PanelTask(Task):
    """One panel of the status page.

    Attributes:
        context: dotted path of a function `() -> dict` that returns the template's context, with plain
            values.
        public: shown to everybody, not only to staff.
        place: `top` is above the components, full width; on a wide screen the others share two columns.
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
    """One panel: its template's context, or the `Finding` that says why there is none."""

    task: PanelTask
    context: Context | Finding


@dataclass(frozen=True, kw_only=True)
class OwnTask(Task):
    """Work that the engine needs for itself, such as reading the overrides."""

    name: str


NamedTask = ProbeTask | AbilityTask | PanelTask | OwnTask


def configured_probes() -> Sequence[ProbeTask]:
    """Return `HEALTH_PROBES`.

    Raises TypeError for a wrong entry; `healthcheck.checks` reports it at start.
    """
    return [ProbeTask(**entry) for entry in settings.HEALTH_PROBES]


def configured_panels() -> Sequence[PanelTask]:
    return [PanelTask(**entry) for entry in settings.STATUS_PANELS]


def configured_abilities() -> Sequence[AbilityTask]:
    return [AbilityTask(**entry) for entry in settings.HEALTH_ABILITIES]


def component_label(name: str) -> str | Promise:
    """Return a component's name for people; `name` itself if it has no label or is no longer configured."""
    return next((task.label for task in configured_probes() if task.name == name and task.label), name)


def imported(path: str) -> Callable[[], Any]:
    """Return the function at a dotted path.

    Called in the thread that runs it, so a slow import delays no start.
    """
    return cast("Callable[[], Any]", import_string(path))


def plain(returned: Context) -> Context:
    """Run lazy queries now, in the panel's own thread, rather than while the page is rendered."""
    return {name: list(value) if isinstance(value, QuerySet) else value for name, value in returned.items()}
