"""What is shown of the config cache: to people on the status page, to programs as JSON."""

from django.http import HttpRequest, JsonResponse

from sysconfig.models import SystemConfig


def cache_panel() -> dict[str, object]:
    """Return the report on this process's cache, for the status page."""
    report = SystemConfig.objects.cache_report()
    return {"cache": report | {"hit_rate_pct": report["hit_rate"] * 100}}


def cache_json(request: HttpRequest) -> JsonResponse:
    """Answer the report of whichever process answers (docs/config-cache.md, rule 28). Not for everybody."""
    return JsonResponse(SystemConfig.objects.cache_report(), headers={"Cache-Control": "no-store"})
