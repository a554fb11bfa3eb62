"""The values on the status page, ready to show in the active language, so that templates decide nothing.

`templates/status/page.html` and `templates/status/fragment.html` get one name: `page`, a `StatusPage`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from healthcheck.abilities import Ability, Answer
from healthcheck.declared import Panel, component_label
from healthcheck.report import Finding, Overall, Status
from healthcheck.snapshot import Component, OverrideEffect, Snapshot
from healthcheck.status_words import ANSWER_WORDS, STATUS_WORDS

logger = structlog.get_logger(__name__)

_REFRESH_S = 5


@dataclass(frozen=True)
class PageComponent:
    """One component's row.

    Attributes:
        name: as in JSON, e.g. `upbit_api`; the same in every language.
        label: the name for people, in the active language.
        status: `healthy`, `warning` or `unhealthy`, for icons and classes.
        status_word: the status for people, in the active language.
        text: the finding, in the active language; None for callers who may not see it.
        latency_ms: None on a time-out, when it cannot be judged, and for callers who may not see it.
        measured_at: aware UTC.
        age_s: seconds between `measured_at` and the page's own `measured_at`.
        late: older than the component's TTL; a refresh is running.
        override: `maintenance` or `rehearsal` while one is in force, else "".
        override_word: the override for people, in the active language.
    """

    name: str
    label: str
    status: Status
    status_word: str
    text: str | None
    latency_ms: float | None
    measured_at: datetime
    age_s: float
    late: bool
    override: OverrideEffect = ""
    override_word: str = ""


@dataclass(frozen=True)
class PageAbility:
    """One ability in the line above the components.

    Attributes:
        state: for icons and classes.
        reason: why not, in the active language; None for a yes and for callers who may not see it.
    """

    label: str
    answer: Answer
    word: str
    state: str
    reason: str | None


@dataclass(frozen=True)
class PagePanel:
    """One panel: `html` is its rendered template, or None, and then `error` says why.

    `number` is its HTML id.
    """

    number: int
    place: str
    title: str
    html: SafeString | None
    error: str | None


@dataclass(frozen=True)
class StatusPage:
    """Everything on the page.

    Attributes:
        status: `healthy`, `degraded` or `unhealthy`, for icons and classes.
        status_word: the status for people, in the active language.
        headline: "all is well", or the components that cause `status`.
        measured_at: when the snapshot was made, aware UTC.
        staff: whether messages, latencies and staff panels are included.
        question, answer, answer_word: the question that all `abilities` together answer; "" without any.
        refresh_s: how often the page reloads itself, by script or by a meta refresh.
    """

    status: Overall
    status_word: str
    headline: str
    measured_at: datetime
    version: str
    staff: bool
    components: tuple[PageComponent, ...]
    panels: tuple[PagePanel, ...]
    refresh_s: int
    question: str = ""
    answer: Answer = "unknown"
    answer_word: str = ""
    answer_state: str = ""
    abilities: tuple[PageAbility, ...] = ()

    @property
    def troubles(self) -> list[PageComponent]:
        """The components that are not healthy, the worst first."""
        found = [component for component in self.components if component.status != "healthy"]
        return sorted(found, key=lambda component: component.status != "unhealthy")

    @property
    def top(self) -> list[PagePanel]:
        return self._placed("top")

    @property
    def wide(self) -> list[PagePanel]:
        return self._placed("wide")

    @property
    def narrow(self) -> list[PagePanel]:
        return self._placed("narrow")

    @property
    def can_sign_in(self) -> bool:
        """False while the database, which holds the sessions, is down."""
        database = (row for row in self.components if row.name == "database" and not row.override)
        return not any(row.status == "unhealthy" for row in database)

    @property
    def favicon(self) -> str:
        """The static file that shows `status` in the browser tab."""
        return f"healthcheck/favicon-{self.status}.svg"

    def _placed(self, place: str) -> list[PagePanel]:
        return [panel for panel in self.panels if panel.place == place]


def status_page(snapshot: Snapshot, panels: Iterable[Panel], *, staff: bool) -> StatusPage:
    """Return the page for this audience, in the active language."""
    rows = tuple(_row(component, staff=staff) for component in snapshot.components)
    return StatusPage(
        status=snapshot.status,
        status_word=str(STATUS_WORDS[snapshot.status].word),
        headline=_headline(snapshot.status, rows),
        measured_at=snapshot.measured_at,
        version=snapshot.version,
        staff=staff,
        components=rows,
        panels=tuple(
            _shown(number, panel) for number, panel in enumerate(panels, 1) if staff or panel.task.public
        ),
        refresh_s=_REFRESH_S,
        question=str(settings.HEALTH_QUESTION) if snapshot.abilities else "",
        answer=snapshot.can_act,
        answer_word=str(ANSWER_WORDS[snapshot.can_act].word),
        answer_state=ANSWER_WORDS[snapshot.can_act].shape,
        abilities=tuple(_ability(ability, staff=staff) for ability in snapshot.abilities),
    )


def _ability(ability: Ability, *, staff: bool) -> PageAbility:
    reason = ability.reason.text() if staff and ability.answer != "yes" else None
    if reason and ability.blamed:
        reason = f"{component_label(ability.blamed)}: {reason}"
    return PageAbility(
        label=str(ability.label),
        answer=ability.answer,
        word=str(ANSWER_WORDS[ability.answer].word),
        state=ANSWER_WORDS[ability.answer].shape,
        reason=reason,
    )


def _row(component: Component, *, staff: bool) -> PageComponent:
    return PageComponent(
        name=component.name,
        label=str(component_label(component.name)),
        status=component.status,
        status_word=str(STATUS_WORDS[component.status].word),
        text=component.finding.text() if staff else None,
        latency_ms=component.latency_ms if staff else None,
        measured_at=component.measured_at,
        age_s=component.age_s,
        late=component.late,
        override=component.override,
        override_word=override_word(component.override),
    )


def _shown(number: int, panel: Panel) -> PagePanel:
    shown = partial(PagePanel, number, panel.task.place, str(panel.task.title))
    if isinstance(panel.context, Finding):
        return shown(None, panel.context.text())
    try:
        return shown(render_to_string(panel.task.template, panel.context), None)
    except Exception:
        # An error in one panel's template must not break the whole page.
        logger.exception("health.panel_failed", template=panel.task.template)
        return shown(None, gettext("the panel failed; see the log"))


def _headline(status: Overall, rows: Iterable[PageComponent]) -> str:
    if status == "healthy":
        return gettext("All is well")
    blamed = "unhealthy" if status == "unhealthy" else "warning"
    names = ", ".join(_named(row) for row in rows if row.status == blamed)
    return gettext("%(state)s: %(names)s") % {"state": STATUS_WORDS[status].word, "names": names}


def _named(row: PageComponent) -> str:
    return f"{row.label} ({row.override_word})" if row.override else row.label


def override_word(override: OverrideEffect) -> str:
    """Return the name of an override in the active language; "" for none."""
    words = {"": "", "maintenance": gettext("Maintenance"), "rehearsal": gettext("Rehearsal")}
    return words[override]
