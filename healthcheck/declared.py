"""Reads the health settings (`HEALTH_PROBES`, `HEALTH_ABILITIES`, `STATUS_PANELS`) as typed values.

See docs/health.md, "Adding a probe or a panel".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from django.conf import settings
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from healthcheck.report import Finding

# The longest wait for the row of a shared result. After that this process runs the probe itself and does not
# share the result.
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
        label: the component's name on the page; "" shows `name`.
        shared: all processes use one result, which is stored in a database row.
        evidence: dotted path of a function `() -> Sequence[Fact]` that returns the facts that explain its
            state; "" for none.
        slow_ms: a run that takes at most this long is never reported as slow; None: no run is.
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
        label: shown on the page, as a verb phrase that fits into a list: "place orders".
        probe: dotted path of a function `() -> Finding` that checks anything else that it depends on; "" for
            none.
    """

    name: str
    label: str | Promise
    probe: str = ""


@dataclass(frozen=True, kw_only=True)
class PanelTask(Task):
    """One panel of the status page.

    Attributes:
        context: dotted path of a function `() -> dict` that returns the template's context. Its values are
            already computed, or QuerySets.
        public: shown to everybody, not only to staff.
        place: `top` is above the components, at full width. On a wide screen `wide` and `narrow` panels are
            in two columns.
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
    """The result of a panel's task: the template's context, or the `Finding` that explains its absence."""

    task: PanelTask
    context: Context | Finding


@dataclass(frozen=True, kw_only=True)
class OwnTask(Task):
    """A task of the engine itself, such as reading the overrides."""

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
    """Return a component's label; its `name` if it has no label or is no longer configured."""
    return next((task.label for task in configured_probes() if task.name == name and task.label), name)


def import_function(path: str) -> Callable[[], Any]:
    """Return the function at a dotted path.

    Called in the thread that then runs the function, so that a slow import does not delay the start of a
    process.
    """
    return cast("Callable[[], Any]", import_string(path))


def evaluated(returned: Context) -> Context:
    """Return the context with its QuerySets as lists.

    So their queries run in the panel's own thread, not while the page is rendered.
    """
    return {name: list(value) if isinstance(value, QuerySet) else value for name, value in returned.items()}
