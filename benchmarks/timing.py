"""How long a call takes, and how that is shown: next to the barest thing that does the same."""

import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from timeit import Timer

ROUNDS = 9


def ns_a_call(statement: str, names: dict[str, object], calls: int, threads: int = 1) -> float:
    """Return nanoseconds a call of `statement`, the median over rounds, with `threads` sharing the calls."""
    return statistics.median(ns_in_one_round(statement, names, calls, threads) for _ in range(ROUNDS))


def ns_in_one_round(statement: str, names: dict[str, object], calls: int, threads: int) -> float:
    timer = Timer(statement, globals=names)
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter_ns()
        list(pool.map(timer.timeit, [calls // threads] * threads))
        return (time.perf_counter_ns() - begun) / calls


def percentile(values: Sequence[float], pct: float) -> float:
    """Return the value that `pct` percent of them don't exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * pct / 100))]


def say(text: str) -> None:
    """Print a line at once: the next one may take seconds."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
