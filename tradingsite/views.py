"""What belongs to the whole site: its mode, its icon, and the report on its configuration's cache."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static

from healthcheck.access import staff_json
from sysconfig.models import SystemConfig


def mode(_request: HttpRequest) -> dict[str, str]:
    """Give templates `trading_mode`: `sandbox` or `live`."""
    return {"trading_mode": settings.TRADING_MODE}


def favicon(_request: HttpRequest) -> HttpResponse:
    """Answer browsers that request `/favicon.ico` by themselves, as they do on pages that are no HTML."""
    return redirect(static("healthcheck/favicon.svg"))


@staff_json
def config_cache(_request: HttpRequest) -> HttpResponse:
    """Answer the report on the cache of this process."""
    return JsonResponse(SystemConfig.objects.cache_report())
