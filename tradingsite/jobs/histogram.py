"""Times in a few numbers: a sparse histogram whose buckets grow by a tenth (docs/scheduler.md R22)."""

import math
from collections import Counter
from collections.abc import Mapping

RATIO = 1.1
SMALLEST_MS = 0.01
"""What is less is as good as nothing, and shown as 0."""
_LOG = math.log(RATIO)
_NOTHING = math.floor(math.log(SMALLEST_MS) / _LOG) - 1


class Histogram:
    """Counts times in milliseconds. A percentile is at most 4.9 % from the exact one: half a bucket."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        """Take what `as_json` gave."""
        self.counts = Counter({int(bucket): count for bucket, count in (counts or {}).items()})

    def add(self, time_ms: float) -> None:
        """Count one time. Less than nothing, as a clock that was set back gives it, is nothing."""
        small = time_ms < SMALLEST_MS
        self.counts[_NOTHING if small else math.floor(math.log(time_ms) / _LOG)] += 1

    def merge(self, other: "Histogram") -> None:
        """Count all that `other` has counted, too."""
        self.counts.update(other.counts)

    def percentile_ms(self, pct: float) -> float | None:
        """Return the smallest time that at least `pct` percent do not exceed; None of an empty histogram."""
        total = self.counts.total()
        if not total:
            return None
        rank, seen, bucket = max(1, math.ceil(total * pct / 100)), 0, _NOTHING
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                break
        return 0.0 if bucket == _NOTHING else float(RATIO ** (bucket + 0.5))

    def as_json(self) -> dict[str, int]:
        """Return the buckets that hold something: {"bucket": count}."""
        return {str(bucket): count for bucket, count in sorted(self.counts.items())}
