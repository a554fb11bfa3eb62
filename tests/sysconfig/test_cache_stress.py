"""Rule 6: a read that starts after an invalidation returned sees what was true then, or newer."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sysconfig.cache import TTLCache

READERS = 3
READS = 35_000  # by each


class Naive:
    """What one writes first: look, load, store. An invalidation during the load is forgotten."""

    def __init__(self):
        self.entries = {}

    def get_or_set(self, key, factory):
        if key not in self.entries:
            self.entries[key] = factory()
        return self.entries.get(key) or factory()

    def invalidate(self, key):
        self.entries.pop(key, None)


def stale_reads(cache, reads=READS):
    """Read with three threads while a fourth changes the value and invalidates; count reads of the past."""
    truth, announced = [1], [1]
    stale, done = [0] * READERS, threading.Event()

    def load():
        seen = truth[0]
        time.sleep(0)  # the way back from the database: others run
        return seen

    def write():
        while not done.is_set():
            truth[0] += 1
            cache.invalidate("key")
            announced[0] = truth[0]
            time.sleep(0)

    def read(number):
        for turn in range(reads):
            if turn % 20 == 0:
                time.sleep(0)  # or the writer hardly ever gets a turn between hits
            least = announced[0]
            stale[number] += cache.get_or_set("key", load) < least

    writer = threading.Thread(target=write)
    writer.start()
    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(read, range(READERS)))
    done.set()
    writer.join()
    return sum(stale)


@pytest.fixture(autouse=True)
def switch_threads_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    yield
    sys.setswitchinterval(interval)


def test_no_read_is_stale_in_a_hundred_thousand():
    cache: TTLCache[int] = TTLCache()

    assert stale_reads(cache) == 0
    assert cache.hits + cache.misses + cache.coalesced == READERS * READS
    assert cache.discarded > 0  # the race did happen


def test_the_same_stress_finds_stale_reads_of_a_naive_cache():
    assert stale_reads(Naive()) > 0
