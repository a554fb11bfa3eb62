"""The panel about the config cache on the status page."""

from sysconfig.models import SystemConfig


def cache() -> dict[str, object]:
    """Return the template's context: the report on the cache of this process."""
    report = SystemConfig.objects.cache_report()
    return {"cache": report | {"hit_rate_pct": report["hit_rate"] * 100}}
