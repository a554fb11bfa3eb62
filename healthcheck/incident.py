"""The status as plain text for the incident channel, with Korean time and UTC."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.management.color import no_style
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from healthcheck.access import may_see_details
from healthcheck.engine.engine import engine
from healthcheck.pages.plain_text import as_text
from healthcheck.pages.status_page import status_page
from healthcheck.views import answers_always

_SEOUL = ZoneInfo("Asia/Seoul")


@answers_always
def incident(request: HttpRequest) -> HttpResponse:
    """Answer what the page says above its panels, as much of it as the caller may see; always 200."""
    snapshot = engine().snapshot()
    staff = may_see_details(request, database_down=snapshot.is_unhealthy("database"))
    page = status_page(snapshot, (), staff=staff)
    reasons = [f"- {ability.label}: {ability.reason}" for ability in page.abilities if ability.reason]
    text = "\n".join([_times(page.measured_at), as_text(page, no_style()), *reasons])
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8")


def _times(at: datetime) -> str:
    seoul = at.astimezone(_SEOUL)
    return gettext("Status of %(kst)s KST (%(utc)s UTC)") % {
        "kst": f"{seoul:%Y-%m-%d %H:%M:%S}",
        "utc": f"{at:%Y-%m-%d %H:%M:%S}",
    }
