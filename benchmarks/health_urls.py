"""The project's addresses, a bare view, and the probes of the health benchmark."""

import time

from django.urls import path

from benchmarks.health_plain import STUCK_S, bare
from benchmarks.web import note
from healthcheck.report import Finding
from tradingsite.urls import urlpatterns as project


def quick() -> Finding:
    """Is healthy at once."""
    note("quick")
    return Finding("healthy", "fine")


def stuck() -> Finding:
    """Hang past the limit."""
    note("stuck")
    time.sleep(STUCK_S)
    return Finding("healthy", "fine after all")


urlpatterns = [path("bare", bare), *project]
