"""Metrics of this process's configuration cache, for `/metrics` (docs/config-cache.md, rule 28)."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from sysconfig.models import SystemConfig

_COUNTERS = {
    "hits": "Reads that were served from the cache.",
    "misses": "Reads that loaded from the database.",
    "coalesced": "Reads that waited for the load of another thread.",
    "discarded": "Loads that were invalidated while running: returned to waiting readers, never stored.",
    "reconnects": "How often the listener lost its session and opened a new one.",
    "missed_notifications": "Changes found without a notification.",
}


def families() -> Iterator[Metric]:
    """Yield the values of `cache_report()`; the age of the lease only once there is a lease."""
    report = SystemConfig.objects.cache_report()
    for name, meaning in _COUNTERS.items():
        yield CounterMetricFamily(f"sysconfig_cache_{name}", meaning, value=report[name])
    invalidations = CounterMetricFamily(
        "sysconfig_cache_invalidations",
        "Invalidated values, by the source of the invalidation.",
        labels=["source"],
    )
    for source, times in report["invalidations"].items():
        invalidations.add_metric([source], times)
    yield invalidations
    yield GaugeMetricFamily("sysconfig_cache_size", "Cached values.", value=report["size"])
    yield GaugeMetricFamily(
        "sysconfig_cache_listening",
        "1 while the listener receives the changes of other processes.",
        value=int(report["listening"]),
    )
    if report["lease_age_s"] is not None:
        yield GaugeMetricFamily(
            "sysconfig_cache_lease_age_seconds",
            "Time since the last heartbeat that came back was sent.",
            value=report["lease_age_s"],
            unit="seconds",
        )
