"""Panels of the status page: what the rest of the site shows there (docs/health.md)."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from healthcheck.declared import PanelTask
from healthcheck.report import Finding

Context = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One panel and its template's context, or the `Finding` that says why there is none."""

    task: PanelTask
    context: Context | Finding


def plain(returned: Context) -> Context:
    """Run lazy queries here, in the panel's own thread, not while the page is rendered."""
    return {name: list(value) if isinstance(value, QuerySet) else value for name, value in returned.items()}
