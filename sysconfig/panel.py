"""The configuration cache on the status page."""

from sysconfig.models import SystemConfig


def cache() -> dict[str, object]:
    report = SystemConfig.objects.cache_report()
    return {"cache": report | {"hit_rate_pct": report["hit_rate"] * 100}}
