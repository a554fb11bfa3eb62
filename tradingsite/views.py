"""What marks the whole site: its icon, and its mode, so that nobody takes one for the other."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static


def mode(_request: HttpRequest) -> dict[str, str]:
    """Give templates `trading_mode`: `sandbox` or `live`."""
    return {"trading_mode": settings.TRADING_MODE}


def favicon(_request: HttpRequest) -> HttpResponse:
    """Answer browsers that ask for `/favicon.ico` unasked, as they do on pages that are no HTML."""
    return redirect(static("healthcheck/favicon.svg"))
