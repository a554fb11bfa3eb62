"""The views of a plain Django site: a constant answer, and django-health-check as its documentation says."""

import dataclasses
import datetime as dt
import time

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from health_check.base import HealthCheck
from health_check.views import HealthCheckView

from benchmarks.web import note

LIMIT_S, STUCK_S = 1, 8


def bare(_: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "healthy", "components": [{"name": "database", "status": "healthy"}] * 6})


@dataclasses.dataclass
class Stuck(HealthCheck):  # type: ignore[misc]  # the package has no types
    """Hangs, with a limit."""

    timeout = dt.timedelta(seconds=LIMIT_S)

    def run(self) -> None:
        note("stuck")
        time.sleep(STUCK_S)


DATABASE = ("health_check.checks.Database",)

urlpatterns = [
    path("bare", bare),
    path("health", HealthCheckView.as_view(checks=DATABASE), name="health"),
    path("stuck", HealthCheckView.as_view(checks=(*DATABASE, Stuck))),
]
