"""The project's addresses, a bare view, and the extra probes of the health bench."""

import time

from django.urls import path

from benchmarks.health.plain_urls import STUCK_S, bare
from benchmarks.web import note
from healthcheck.report import Finding
from tradingsite.urls import urlpatterns as project


def quick() -> Finding:
    return Finding("healthy", "fine")


def counted() -> Finding:
    note("counted")
    return Finding("healthy", "fine")


def stuck() -> Finding:
    """Hang past the limit."""
    note("stuck")
    time.sleep(STUCK_S)
    return Finding("healthy", "fine after all")


urlpatterns = [path("bare", bare), *project]
