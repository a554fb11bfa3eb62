"""The status page as plain text, for terminals and for pasting into a chat. It is readable without colour."""

from datetime import datetime

from django.core.management.color import Style, no_style
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from healthcheck.access import answers_always, may_see_details
from healthcheck.engine.engine import engine
from healthcheck.pages.status_page import PageComponent, StatusPage, status_page
from healthcheck.status_words import STATUS_WORDS
from healthcheck.templatetags.moments import moment_text, site_moment
from healthcheck.terminal import table


@answers_always
def incident(request: HttpRequest) -> HttpResponse:
    """Answer headline, components and reasons, as far as the caller may see them; always with status 200."""
    snapshot = engine().snapshot()
    staff = may_see_details(request, snapshot)
    page = status_page(snapshot, (), staff=staff)
    reasons = [f"- {ability.label}: {ability.reason}" for ability in page.abilities if ability.reason]
    text = "\n".join([_times(page.measured_at), as_text(page, no_style()), *reasons])
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8")


def as_text(page: StatusPage, style: Style) -> str:
    """Return headline, abilities and an aligned table; `style` only colours the status words."""
    head = f"{page.headline} ({page.version}, {moment_text(page.measured_at)} UTC)"
    rows = table([_cells(component, style) for component in page.components], right=[2])
    return "\n".join([head, *_abilities(page), "", *rows])


def _times(at: datetime) -> str:
    times = {"site": site_moment(at), "utc": moment_text(at)}
    return gettext("Status of %(site)s (%(utc)s UTC)") % times


def _abilities(page: StatusPage) -> list[str]:
    if not page.abilities:
        return []
    answers = " · ".join(f"{ability.label}: {ability.word}" for ability in page.abilities)
    return [f"{page.question} {page.answer_word}. {answers}"]


def _cells(component: PageComponent, style: Style) -> tuple[str, str, str, str]:
    latency = "-" if component.latency_ms is None else f"{component.latency_ms:.1f} ms"
    text = component.text or ""
    if component.age_s >= 1:
        text += " " + gettext("(%(age_s)d s ago)") % {"age_s": component.age_s}
    word = component.status_word
    if component.override:
        word += f" ({component.override_word})"
    paint = getattr(style, STATUS_WORDS[component.status].role)
    return component.name, paint(word), latency, text
