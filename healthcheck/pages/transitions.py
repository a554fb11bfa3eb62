"""Pages about changes of state, for operators: the list, and one page for each change.

See docs/health.md, rule 27.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from healthcheck.access import query_or_none, staff_page, unknown_name_page
from healthcheck.declared import component_label
from healthcheck.engine.engine import engine
from healthcheck.history.queries import TransitionRow, transition, transitions
from healthcheck.models import Alert
from healthcheck.pages import runbook
from healthcheck.pages.history_bars import change_rows
from healthcheck.report import component_names
from healthcheck.status_words import STATUS_WORDS

PAGE = 50
_HIGHEST_PK = 2**63 - 1


@staff_page
def transition_list(request: HttpRequest) -> HttpResponse:
    """Show 50 changes, newest first. `?component=` filters, `?older=` continues after a change."""
    known = component_names()
    component = request.GET.get("component", "")
    if component and component not in known:
        address = reverse("healthcheck:transitions")
        return unknown_name_page(
            request, component, [(each, f"{address}?component={each}") for each in known]
        )
    older_than_pk = _pk(request.GET.get("older", ""))
    found = query_or_none(lambda: transitions(component or None, limit=PAGE + 1, older_than_pk=older_than_pk))
    rows = found or []
    context = {
        "readable": found is not None,
        "components": [(each, component_label(each)) for each in known],
        "chosen": component,
        "changes": change_rows(rows[:PAGE]),
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "is_newest": older_than_pk is None,
    }
    return render(request, "status/transitions.html", context)


@staff_page
def transition_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one change; 404 when there is no such row, or no longer."""

    def query() -> tuple[TransitionRow | None, Alert | None]:
        # The database raises an error for a number that does not fit the column.
        known = pk <= _HIGHEST_PK
        return (transition(pk), Alert.objects.filter(transition_id=pk).first()) if known else (None, None)

    found = query_or_none(query)
    if found is None:
        return render(request, "status/transition.html", {"pk": pk})
    row, alert = found
    if row is None:
        return unknown_name_page(request, gettext("change %(number)s") % {"number": pk}, [])
    return render(request, "status/transition.html", _shown(row, alert))


def _shown(row: TransitionRow, alert: Alert | None) -> dict[str, Any]:
    is_configured = row.component in component_names()
    found = engine().component(row.component) if is_configured else None
    return {
        "pk": row.pk,
        # A state that is over gets no alarm colour.
        "verdict": f"notice was-{row.after}" if row.lasted else STATUS_WORDS[row.after].verdict,
        "found": found,
        "found_word": STATUS_WORDS[found.status].word if found else "",
        "change": row,
        "alert": alert,
        "label": component_label(row.component),
        "is_configured": is_configured,
        "before": STATUS_WORDS[row.before].word,
        "after": STATUS_WORDS[row.after].word,
        "lasts": timezone.now() - row.at,
        "advice": runbook.advice(row.component, row.after),
    }


def _pk(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_HIGHEST_PK)) else None
