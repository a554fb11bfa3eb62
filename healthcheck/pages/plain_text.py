"""The status page as text, for terminals and the incident channel: as readable without colour as with it."""

from datetime import datetime
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

from django.core.management.color import Style, no_style
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from healthcheck.access import answers_always, may_see_details
from healthcheck.engine.engine import engine
from healthcheck.pages.status_page import PageComponent, StatusPage, status_page
from healthcheck.report import Status

_SEOUL = ZoneInfo("Asia/Seoul")
_PAINTS = {"healthy": "SUCCESS", "warning": "WARNING", "unhealthy": "ERROR"}


@answers_always
def incident(request: HttpRequest) -> HttpResponse:
    """Answer what the page says above its panels, as much of it as the caller may see; always 200."""
    snapshot = engine().snapshot()
    staff = may_see_details(request, snapshot)
    page = status_page(snapshot, (), staff=staff)
    reasons = [f"- {ability.label}: {ability.reason}" for ability in page.abilities if ability.reason]
    text = "\n".join([_times(page.measured_at), as_text(page, no_style()), *reasons])
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8")


def as_text(page: StatusPage, style: Style) -> str:
    """Return headline, trading line and an aligned table; `style` colours the words of states only."""
    rows = [(component, _cells(component)) for component in page.components]
    widths = [max(_columns(cells[column]) for _, cells in rows) for column in range(3)]
    measured_at = f"{page.measured_at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [f"{page.headline} ({page.version}, {measured_at})", *_abilities(page), ""]
    for component, (name, word, latency, text) in rows:
        painted = _painted(_left(word, widths[1]), component.status, style)
        lines.append(f"{_left(name, widths[0])}  {painted}  {latency.rjust(widths[2])}  {text}".rstrip())
    return "\n".join(lines)


def _times(at: datetime) -> str:
    seoul = at.astimezone(_SEOUL)
    return gettext("Status of %(kst)s KST (%(utc)s UTC)") % {
        "kst": f"{seoul:%Y-%m-%d %H:%M:%S}",
        "utc": f"{at:%Y-%m-%d %H:%M:%S}",
    }


def _abilities(page: StatusPage) -> list[str]:
    if not page.abilities:
        return []
    told = " · ".join(f"{ability.label}: {ability.word}" for ability in page.abilities)
    return [f"{page.question} {page.answer_word}. {told}"]


def _painted(text: str, status: Status, style: Style) -> str:
    return str(getattr(style, _PAINTS[status])(text))


def _cells(component: PageComponent) -> tuple[str, str, str, str]:
    latency = "-" if component.latency_ms is None else f"{component.latency_ms:.1f} ms"
    text = component.text or ""
    if component.age_s >= 1:
        text += " " + gettext("(%(age_s)d s ago)") % {"age_s": component.age_s}
    word = component.status_word
    if component.override:
        word += f" ({component.override_word})"
    return component.name, word, latency, text


def _left(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))


def _columns(text: str) -> int:
    """Return how many columns a terminal gives the text: a Korean letter takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
