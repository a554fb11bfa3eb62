"""What masking costs on text made to cost much: 64 KB of each beginning of a pattern, repeated."""

import time
from collections.abc import Callable

from benchmarks.report import measured
from tests.site.test_hostile_text import SEEDS
from tradingsite.masking import hide_user_info, mask

SIZE = 64 * 1024


def main() -> None:
    """Mask each text three times; the cheapest counts, the dearest of the texts is the figure."""
    costs = {
        (work.__name__, seed): min(_cost_ms(work, (seed * SIZE)[:SIZE]) for _ in range(3))
        for work in (mask, hide_user_info)
        for seed in SEEDS
    }
    (name, seed), worst_ms = max(costs.items(), key=lambda item: item[1])
    measured("masking.hostile", worst_ms, note=f"{name}, {seed!r} repeated; CPU of the thread")


def _cost_ms(work: Callable[[str], str], text: str) -> float:
    begun_ns = time.thread_time_ns()
    work(text)
    return (time.thread_time_ns() - begun_ns) / 1e6


if __name__ == "__main__":
    main()
