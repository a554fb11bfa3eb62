"""The figures of this process's cache as OpenMetrics families (docs/config-cache.md, rule 28)."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from sysconfig.models import SystemConfig

_COUNTERS = {
    "hits": "Reads that were served from the cache.",
    "misses": "Reads that loaded from the database.",
    "coalesced": "Reads that were given the load of another.",
    "discarded": "Loads that a change overtook: given to who waited, never stored.",
    "reconnects": "How often the listener lost its session and has another.",
    "missed_notifications": "Changes that no notification announced.",
}


def families() -> Iterator[Metric]:
    """Yield the figures of `cache_report()`; the lease's age only once there is one."""
    report = SystemConfig.objects.cache_report()
    for name, meaning in _COUNTERS.items():
        yield CounterMetricFamily(f"sysconfig_cache_{name}", meaning, value=report[name])
    invalidations = CounterMetricFamily(
        "sysconfig_cache_invalidations", "Values that were forgotten, by who said so.", labels=["source"]
    )
    for source, times in report["invalidations"].items():
        invalidations.add_metric([source], times)
    yield invalidations
    yield GaugeMetricFamily("sysconfig_cache_size", "Values that are kept.", value=report["size"])
    yield GaugeMetricFamily(
        "sysconfig_cache_listening",
        "1 while changes made by other processes are heard.",
        value=int(report["listening"]),
    )
    if report["lease_age_s"] is not None:
        yield GaugeMetricFamily(
            "sysconfig_cache_lease_age_seconds",
            "Time since the last proof that changes are heard.",
            value=report["lease_age_s"],
            unit="seconds",
        )
