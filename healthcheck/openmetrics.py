"""`/metrics` in the OpenMetrics text format, from the sources that the settings name (docs/health.md)."""

from collections import Counter
from collections.abc import Iterable, Iterator

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from healthcheck.access import is_staff_or_bearer
from healthcheck.declared import imported
from healthcheck.views import answers_always

logger = structlog.get_logger(__name__)

_errors: Counter[str] = Counter()  # a source → its failures in this process


class _Scrape:
    """What one scrape found. It is made anew for each: nothing is registered, nothing is kept."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


@answers_always
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer what this process counted, to staff and bearers of the token."""
    if not is_staff_or_bearer(request):
        refused = "Sign in as staff, or send the bearer token.\n"
        return HttpResponse(refused, status=403, content_type="text/plain; charset=utf-8")
    body = b"".join(_expositions())
    return HttpResponse(body + b"# EOF\n", content_type=CONTENT_TYPE_LATEST)


def _expositions() -> Iterator[bytes]:
    for path in settings.METRIC_SOURCES:
        try:
            yield _written(imported(path)())
        except Exception:  # one source that fails, however it does, must not hide the others
            _errors[path] += 1
            logger.exception("metrics.source_failed", source=path)
    failures = CounterMetricFamily(
        "metrics_source_errors", "Scrapes that lack a source because it failed.", labels=["source"]
    )
    for path in settings.METRIC_SOURCES:
        failures.add_metric([path], _errors[path])
    yield _written([failures])


def _written(families: Iterable[Metric]) -> bytes:
    # Each source is written alone, so that a family which can't be written takes no other source along.
    written: bytes = generate_latest(_Scrape(list(families)))  # type: ignore[no-untyped-call]  # not annotated
    return written.removesuffix(b"# EOF\n")
