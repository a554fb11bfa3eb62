"""Views and template context of the whole site: its mode, its icon, the report on the settings cache."""

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
    """Redirect `/favicon.ico`, which browsers request on pages without an icon link, such as JSON."""
    return redirect(static("healthcheck/favicon.svg"))


@staff_json
def config_cache(_request: HttpRequest) -> HttpResponse:
    """Answer the report on this process's configuration cache."""
    return JsonResponse(SystemConfig.objects.cache_report())
