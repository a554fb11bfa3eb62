"""TTLCache, rule by rule (docs/config-cache.md). No Django, no database."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from sysconfig.cache import TTL_S, TTLCache


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


class HeldLoad:
    """A factory that stops inside, after it has read its value, until `end` is set."""

    def __init__(self, value=None, error=None):
        self.value, self.error = value, error
        self.began, self.end = threading.Event(), threading.Event()

    def __call__(self):
        self.began.set()
        assert self.end.wait(60)
        if self.error is not None:
            raise self.error
        return self.value


def refuse():
    raise AssertionError("the factory was called")


def wait_for_followers(cache, key, count):
    """Wait until `count` threads wait for the load of `key`."""
    deadline = time.monotonic() + 60
    while len(cache._flights[key].landed._cond._waiters) < count:
        assert time.monotonic() < deadline, "they never came"
        time.sleep(0.001)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(clock):
    return TTLCache(clock)


@pytest.fixture
def threads():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def test_the_specifications_state_diagram(cache, clock):
    loads: list[int] = []

    def load():
        loads.append(len(loads) + 1)
        return loads[-1]

    assert cache.stats() == {"hits": 0, "misses": 0, "hit_rate": 0.0, "size": 0}  # EMPTY
    assert cache.get_or_set("stop_loss_pct", load) == 1  # get_or_set (miss) → CACHED
    clock.now_s += TTL_S - 0.001
    assert cache.get_or_set("stop_loss_pct", load) == 1  # still CACHED
    clock.now_s += 0.001  # the TTL is over → EXPIRED
    assert cache.get_or_set("stop_loss_pct", load) == 2  # get_or_set (miss) → CACHED
    assert cache.get_or_set("stop_loss_pct", load) == 2
    cache.invalidate("stop_loss_pct")  # → EXPIRED
    assert cache.get_or_set("stop_loss_pct", load) == 3  # get_or_set (miss) → CACHED

    assert cache.get_or_set("stop_loss_pct", refuse) == 3
    assert cache.stats() == {"hits": 3, "misses": 3, "hit_rate": 0.5, "size": 1}
    assert TTL_S == 3600


def test_a_hit_needs_no_lock(cache, threads):
    cache.get_or_set("a", lambda: 1)

    with cache._lock:
        assert threads.submit(cache.get_or_set, "a", refuse).result(60) == 1


def test_a_hit_does_not_wait_for_another_keys_load(cache, threads):
    cache.get_or_set("a", lambda: 1)
    slow = HeldLoad(2)
    loading = threads.submit(cache.get_or_set, "b", slow)
    assert slow.began.wait(60)

    assert cache.get_or_set("a", refuse) == 1
    assert not loading.done()
    slow.end.set()
    assert loading.result(60) == 2


def test_the_ttl_counts_from_the_start_of_the_load(cache, clock):
    def takes_ten_seconds():
        clock.now_s += 10
        return "old"

    cache.get_or_set("a", takes_ten_seconds)
    clock.now_s += TTL_S - 10

    assert cache.get_or_set("a", lambda: "new") == "new"


def test_a_load_longer_than_the_ttl_is_not_served_again(cache, clock):
    def takes_an_hour():
        clock.now_s += TTL_S
        return "old"

    assert cache.get_or_set("a", takes_an_hour) == "old"
    assert cache.get_or_set("a", lambda: "new") == "new"


def test_the_clock_is_the_monotonic_one():
    assert TTLCache()._clock is time.monotonic


def test_many_callers_of_a_cold_key_make_one_load(cache, threads):
    slow = HeldLoad("value")
    calls = [threads.submit(cache.get_or_set, "a", slow)]
    assert slow.began.wait(60)
    calls += [threads.submit(cache.get_or_set, "a", refuse) for _ in range(7)]
    wait_for_followers(cache, "a", 7)
    slow.end.set()

    assert [call.result(60) for call in calls] == ["value"] * 8
    assert (cache.hits, cache.misses, cache.coalesced) == (0, 1, 7)


def test_different_keys_load_side_by_side(cache, threads):
    slow = {key: HeldLoad(key) for key in "abc"}
    calls = [threads.submit(cache.get_or_set, key, load) for key, load in slow.items()]

    assert all(load.began.wait(60) for load in slow.values())
    for load in slow.values():
        load.end.set()
    assert [call.result(60) for call in calls] == ["a", "b", "c"]


@pytest.mark.parametrize("key", ["a", None])
def test_a_load_that_began_before_an_invalidation_is_never_stored(cache, threads, key):
    orphan = HeldLoad("old")
    early = threads.submit(cache.get_or_set, "a", orphan)
    assert orphan.began.wait(60)
    cache.invalidate(key)
    orphan.end.set()

    assert early.result(60) == "old"
    assert cache.get_or_set("a", lambda: "new") == "new"
    assert cache.discarded == 1


def test_invalidating_one_key_leaves_the_others(cache):
    cache.get_or_set("a", lambda: 1)
    cache.get_or_set("b", lambda: 2)
    cache.invalidate("a")

    assert cache.get_or_set("b", refuse) == 2
    assert cache.stats()["size"] == 1


@pytest.mark.parametrize("end", [None, ValueError("gone"), KeyboardInterrupt()])
def test_late_readers_start_anew_and_an_orphan_touches_nothing(cache, threads, end):
    orphan, fresh = HeldLoad("old", end), HeldLoad("new")
    early = threads.submit(cache.get_or_set, "a", orphan)
    assert orphan.began.wait(60)
    cache.invalidate("a")
    late = threads.submit(cache.get_or_set, "a", fresh)
    assert fresh.began.wait(60)

    orphan.end.set()
    early.exception(60)  # it has landed
    later = threads.submit(cache.get_or_set, "a", refuse)
    wait_for_followers(cache, "a", 1)
    fresh.end.set()

    assert late.result(60) == later.result(60) == "new"
    assert cache.get_or_set("a", refuse) == "new"


def test_a_caller_that_joined_before_the_invalidation_may_get_the_old_value(cache, threads):
    orphan = HeldLoad("old")
    calls = [threads.submit(cache.get_or_set, "a", orphan)]
    assert orphan.began.wait(60)
    calls.append(threads.submit(cache.get_or_set, "a", refuse))
    wait_for_followers(cache, "a", 1)
    cache.invalidate("a")
    orphan.end.set()

    assert [call.result(60) for call in calls] == ["old", "old"]
    assert cache.discarded == 1
    assert cache.stats()["size"] == 0


def test_an_error_reaches_every_waiter_and_is_not_kept(cache, threads):
    broken = HeldLoad(error=LookupError("no such table"))
    calls = [threads.submit(cache.get_or_set, "a", broken)]
    assert broken.began.wait(60)
    calls += [threads.submit(cache.get_or_set, "a", refuse) for _ in range(3)]
    wait_for_followers(cache, "a", 3)
    broken.end.set()

    assert all(isinstance(call.exception(60), LookupError) for call in calls)
    assert cache.get_or_set("a", lambda: "next") == "next"


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()])
def test_when_the_loading_thread_is_interrupted_one_waiter_takes_over(cache, threads, end):
    interrupted = HeldLoad(error=end)
    first = threads.submit(cache.get_or_set, "a", interrupted)
    assert interrupted.began.wait(60)
    loads = []

    def load():
        loads.append(1)
        return "value"

    others = [threads.submit(cache.get_or_set, "a", load) for _ in range(3)]
    wait_for_followers(cache, "a", 3)
    interrupted.end.set()

    assert [other.result(60) for other in others] == ["value"] * 3
    assert type(first.exception(60)) is type(end)
    assert len(loads) == 1
    assert cache.hits + cache.misses + cache.coalesced == 4


def test_a_wait_times_out_and_the_stuck_load_blocks_no_later_caller(clock, threads):
    cache: TTLCache[str] = TTLCache(clock, wait_s=0.01)
    stuck = HeldLoad("late")
    leader = threads.submit(cache.get_or_set, "a", stuck)
    assert stuck.began.wait(60)

    with pytest.raises(TimeoutError, match=r"the load of 'a' did not end within 0.01 s"):
        cache.get_or_set("a", refuse)
    assert cache.get_or_set("a", lambda: "fresh") == "fresh"
    stuck.end.set()
    assert leader.result(60) == "late"
    assert cache.get_or_set("a", refuse) == "fresh"


def test_a_load_that_asks_for_its_own_key_is_an_error(cache):
    with pytest.raises(RuntimeError, match="the load of 'a' asks for 'a'"):
        cache.get_or_set("a", lambda: cache.get_or_set("a", lambda: 1))

    assert cache.get_or_set("a", lambda: cache.get_or_set("b", lambda: 2)) == 2


@pytest.mark.parametrize("value", [None, "", 0, False, ()])
def test_an_empty_value_is_a_value(cache, value):
    cache.get_or_set("a", lambda: value)

    assert cache.get_or_set("a", refuse) is value


def test_event_loops_hit_at_once_and_wait_for_a_miss_in_a_thread(cache):
    async def read():
        loop_thread = threading.get_ident()
        first = await cache.aget_or_set("a", lambda: threading.get_ident() != loop_thread)
        held = cache.aget_or_set("a", refuse)
        with pytest.raises(StopIteration):  # it never yields to the loop
            held.send(None)
        return first

    assert asyncio.run(read()) is True
    assert (cache.hits, cache.misses) == (1, 1)


def test_threads_and_event_loops_share_one_load(cache, threads):
    slow = HeldLoad("value")
    thread = threads.submit(cache.get_or_set, "a", slow)
    assert slow.began.wait(60)
    coroutine = threads.submit(lambda: asyncio.run(cache.aget_or_set("a", refuse)))
    wait_for_followers(cache, "a", 1)
    slow.end.set()

    assert thread.result(60) == coroutine.result(60) == "value"


def test_statistics_change_nothing(cache):
    cache.get_or_set("a", lambda: 1)

    assert cache.stats() == cache.stats() == {"hits": 0, "misses": 1, "hit_rate": 0.0, "size": 1}


def test_every_call_is_counted_once_under_four_threads(cache, threads):
    def call(number):
        for turn in range(5000):
            key = str((number + turn) % 3)
            cache.get_or_set(key, lambda: 1)
            if turn % 50 == 0:
                cache.invalidate(key)

    list(threads.map(call, range(4)))

    assert cache.hits + cache.misses + cache.coalesced == 20_000


def test_values_are_handed_out_without_a_copy(cache):
    value = (Decimal("1.5"),)

    assert cache.get_or_set("a", lambda: value) is value
    assert cache.get_or_set("a", refuse) is value


def test_an_unshared_load_is_a_miss_that_leaves_no_trace(cache):
    assert cache.load_uncached(lambda: "mine") == "mine"
    assert cache.stats() == {"hits": 0, "misses": 1, "hit_rate": 0.0, "size": 0}


FORK = """
import os, signal, threading
import tradingsite
from sysconfig.cache import TTLCache

cache = TTLCache()
cache.get_or_set("warm", lambda: 1)
held, end = threading.Event(), threading.Event()

def hold():
    with cache._lock:
        held.set()
        end.wait()

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)  # a lock that is never released would hang it
    fine = cache.stats()["size"] == 0 and cache.get_or_set("warm", lambda: 2) == 2
    raise SystemExit(0 if fine else 1)
end.set()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert cache.get_or_set("warm", lambda: 3) == 1
"""


def test_a_forked_child_starts_empty_and_inherits_no_held_lock():
    # 3.12 and later warn about any fork of a process with threads
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
