"""JSON answers and status page, each made from one snapshot (docs/health.md, rules 20 and 25)."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.http import parse_etags

from healthcheck.access import answers_always, may_see_details
from healthcheck.engine.engine import engine
from healthcheck.pages.status_page import StatusPage, status_page
from healthcheck.report import published_schema
from healthcheck.selection import WrongSelection, selected
from healthcheck.snapshot import Snapshot


@answers_always
def health(request: HttpRequest) -> HttpResponse:
    snapshot = engine().snapshot()
    return _json(snapshot.status_json, snapshot)


@answers_always
def detail(request: HttpRequest) -> HttpResponse:
    """Answer the `DetailedHealthResponse`, without messages and latencies for callers who may not see them.

    `?only=` and `?exclude=` choose components. A request with the current ETag gets a 304.
    """
    try:
        chosen = request.META.get("QUERY_STRING")  # parsing takes time, and most requests have no query
        names = selected(request.GET.get("only"), request.GET.get("exclude")) if chosen else None
    except WrongSelection as wrong:
        return JsonResponse({"error": str(wrong)}, status=400)
    snapshot = engine().snapshot() if names is None else engine().part(names)
    hidden = not may_see_details(request, snapshot)
    etag = snapshot.redacted_etag if hidden else snapshot.full_etag
    if snapshot.http_status == 200 and _has(request, etag):
        response = HttpResponse(status=304, content_type="application/json")
    else:
        response = _json(snapshot.redacted_json if hidden else snapshot.full_json, snapshot)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization, Cookie"
    return response


@answers_always
def abilities(request: HttpRequest) -> HttpResponse:
    """Answer what the site can do now; the reasons are only for callers who may see details."""
    snapshot = engine().snapshot()
    hidden = not may_see_details(request, snapshot)
    because = snapshot.can_act_because
    answer = {
        "can_act": snapshot.can_act,
        "reason": None if hidden or because is None else because.reason.english,
        "timestamp": snapshot.measured_at,
        "abilities": [
            {
                "name": ability.name,
                "answer": ability.answer,
                "component": ability.blamed or None,
                "reason": None if hidden else ability.reason.english,
            }
            for ability in snapshot.abilities
        ],
    }
    return JsonResponse(answer)


@answers_always
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of this process to staff and to callers with the token."""
    from healthcheck.openmetrics import exposition  # its library is needed for nothing else

    if not may_see_details(request):
        refused = "Sign in as staff, or send the bearer token.\n"
        return HttpResponse(refused, status=403, content_type="text/plain; charset=utf-8")
    body, content_type = exposition()
    return HttpResponse(body, content_type=content_type)


@answers_always
def schema(request: HttpRequest) -> HttpResponse:
    return JsonResponse(published_schema(), content_type="application/schema+json")


@answers_always
def page(request: HttpRequest) -> HttpResponse:
    """Show the status page, with the same HTTP status as `detail`."""
    snapshot, shown = _status_page(request)
    return render(request, "status/page.html", {"page": shown}, status=snapshot.http_status)


@answers_always
def fragment(request: HttpRequest) -> HttpResponse:
    """Answer the part of the page that its script replaces. Always 200, or the script would not show it."""
    _, shown = _status_page(request)
    return render(request, "status/fragment.html", {"page": shown})


def _status_page(request: HttpRequest) -> tuple[Snapshot, StatusPage]:
    snapshot, panels = engine().page()
    return snapshot, status_page(snapshot, panels, staff=may_see_details(request, snapshot))


def _has(request: HttpRequest, etag: str) -> bool:
    sent = request.META.get("HTTP_IF_NONE_MATCH")
    return sent is not None and (sent.strip() == "*" or etag in parse_etags(sent))


def _json(body: bytes, snapshot: Snapshot) -> HttpResponse:
    return HttpResponse(body, content_type="application/json", status=snapshot.http_status)
