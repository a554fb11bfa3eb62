"""A component's page for operators: its state, the evidence, its history, and what to do.

See docs/health.md, rule 27.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from healthcheck.access import query_or_none, staff_page, unknown_name_page
from healthcheck.declared import component_label
from healthcheck.engine.engine import engine
from healthcheck.facts import facts
from healthcheck.history.queries import histories, transitions
from healthcheck.pages import runbook
from healthcheck.pages.history_bars import (
    BAR,
    HEIGHT,
    HistoryRow,
    change_rows,
    draw_history,
    kinds,
)
from healthcheck.pages.status_page import override_word
from healthcheck.report import Fact, component_names
from healthcheck.snapshot import Component
from healthcheck.status_words import STATUS_WORDS

_CHANGES = 20


@dataclass(frozen=True)
class ShownFact:
    """One fact as the page shows it: either a time (`at`) or a text, "" for nothing."""

    label: object
    at: datetime | None
    text: str


@staff_page
def component_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one component, with status 200 whatever its state; 404 with all names for an unknown one."""
    known = component_names()
    if name not in known:
        pages = [(each, reverse("healthcheck:component_page", args=[each])) for each in known]
        return unknown_name_page(request, name, pages)
    found, label = engine().component(name), component_label(name)
    words = STATUS_WORDS[found.status]
    context = {
        "name": name,
        "label": label,
        "found": found,
        "verdict": words.verdict,
        "favicon": f"healthcheck/favicon-{words.verdict}.svg",
        "word": words.word,
        "imposed": override_word(found.override),
        "facts": _evidence(name),
        "advice": runbook.advice(name, found.status if found.judged else ""),
        "depends_on": _depends_on(found),
        **_past(name, label),
    }
    return render(request, "status/component_page.html", context)


def _depends_on(found: Component) -> tuple[str, object] | None:
    """Return name and label of the component that blocks the judgement of this one; None if judged."""
    name = "" if found.judged else str(found.finding.params.get("component", ""))
    return (name, component_label(name)) if name in component_names() else None


def _evidence(name: str) -> list[ShownFact] | None:
    """Return the facts with texts in the reader's language, which only this thread knows."""
    found = query_or_none(lambda: facts(name))
    return None if found is None else [_shown(fact) for fact in found]


def _shown(fact: Fact) -> ShownFact:
    match fact.value:
        case datetime() as at:
            return ShownFact(fact.label, at, "")
        case None:
            return ShownFact(fact.label, None, "")
        case bool() as is_so:
            return ShownFact(fact.label, None, gettext("yes") if is_so else gettext("no"))
        case value:
            return ShownFact(fact.label, None, str(value))


def _past(name: str, label: object) -> dict[str, Any]:
    """Return the history part of the context; `past` is None while the database does not answer."""
    now = timezone.now()

    def query() -> tuple[HistoryRow, list[Any]]:
        return draw_history(histories()[name], label, now), transitions(name, limit=_CHANGES)

    past, changes = query_or_none(query) or (None, [])
    return {"past": past, "changes": change_rows(changes), "bar": BAR, "height": HEIGHT, "kinds": kinds()}
