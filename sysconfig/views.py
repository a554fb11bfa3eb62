"""What the status page shows of the config cache."""

from sysconfig.models import SystemConfig


def cache_panel() -> dict[str, object]:
    """Return the counters of this process's cache."""
    cache = SystemConfig.cache
    stats = cache.stats()
    return {
        "cache": stats
        | {
            "hit_rate_pct": stats["hit_rate"] * 100,
            "coalesced": cache.coalesced,
            "discarded": cache.discarded,
        }
    }
