"""A cache with a lease (docs/config-cache.md, rules 18 to 20 and 27). No Django, no database."""

import math
import threading

import pytest

from sysconfig.cache import TTL_S, UNLEASED_TTL_S, TTLCache
from tests.sysconfig.test_cache import Clock, HeldLoad, refuse

LEASE_S = 15.0


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(clock):
    return TTLCache(clock, leased=True)


def test_without_a_lease_a_load_is_kept_for_a_second_from_its_start(cache, clock):
    def takes_half_a_second():
        clock.now_s += UNLEASED_TTL_S / 2
        return "old"

    cache.get_or_set("a", takes_half_a_second)
    clock.now_s += UNLEASED_TTL_S / 2 - 0.001
    assert cache.get_or_set("a", refuse) == "old"
    clock.now_s += 0.001

    assert cache.get_or_set("a", lambda: "new") == "new"


def test_a_hit_past_the_lease_is_a_miss(cache, clock):
    cache.invalidate_many((), lease_until=clock.now_s + LEASE_S)
    cache.get_or_set("a", lambda: "old")
    clock.now_s += LEASE_S - 0.001
    assert cache.get_or_set("a", refuse) == "old"
    clock.now_s += 0.001

    assert cache.get_or_set("a", lambda: "new") == "new"
    assert (cache.hits, cache.misses) == (1, 2)


def test_each_extension_holds_for_all_that_is_kept_but_not_beyond_the_ttl(cache, clock):
    begun = clock.now_s
    cache.invalidate_many((), lease_until=begun + LEASE_S)
    cache.get_or_set("a", lambda: "old")
    while clock.now_s < begun + TTL_S - LEASE_S:
        clock.now_s += LEASE_S / 3
        cache.invalidate_many((), lease_until=clock.now_s + LEASE_S)
        assert cache.get_or_set("a", refuse) == "old"
    clock.now_s = begun + TTL_S - 0.001
    cache.invalidate_many((), lease_until=clock.now_s + LEASE_S)
    assert cache.get_or_set("a", refuse) == "old"
    clock.now_s += 0.001

    assert cache.get_or_set("a", lambda: "new") == "new"


def test_the_first_heartbeat_extends_what_was_loaded_before_it(cache, clock):
    cache.get_or_set("a", lambda: "value")
    cache.invalidate_many((), lease_until=clock.now_s + LEASE_S)
    clock.now_s += LEASE_S - 0.001

    assert cache.get_or_set("a", refuse) == "value"


def test_the_end_of_the_lease_forgets_all_and_orphans_every_load(cache, clock):
    cache.invalidate_many((), lease_until=clock.now_s + LEASE_S)
    cache.get_or_set("a", lambda: "old")

    def overtaken():
        cache.end_lease()
        return "old"

    assert cache.get_or_set("b", overtaken) == "old"
    assert cache.discarded == 1
    assert [cache.get_or_set(key, lambda: "new") for key in "ab"] == ["new", "new"]
    clock.now_s += UNLEASED_TTL_S
    assert cache.get_or_set("a", lambda: "newer") == "newer"


def test_news_and_proof_are_applied_in_one_step(cache, clock):
    """Invalidated entries are not extended by the same call."""
    cache.invalidate_many((), lease_until=clock.now_s + 1)
    for key in "abc":
        cache.get_or_set(key, lambda: "old")
    cache.invalidate_many(["a", "b", "none"], lease_until=clock.now_s + LEASE_S)

    assert set(cache.entries) == {"c"}
    clock.now_s += LEASE_S - 0.001
    assert cache.get_or_set("c", refuse) == "old"
    assert cache.invalidations == {"local": 0, "notify": 3, "reconnect": 0, "anti_entropy": 0}


@pytest.mark.parametrize("source", ["notify", "reconnect", "anti_entropy"])
def test_invalidations_are_counted_by_source(cache, source):
    cache.invalidate_many([None], source=source)
    cache.invalidate("a")
    cache.invalidate()

    assert cache.invalidations == {"notify": 0, "reconnect": 0, "anti_entropy": 0, "local": 2, source: 1}


def test_a_reload_replaces_the_cached_value_and_counts_as_a_miss(cache):
    cache.invalidate_many((), lease_until=math.inf)
    cache.get_or_set("a", lambda: "old")

    assert cache.reload("a", lambda: "new") == "new"
    assert cache.get_or_set("a", refuse) == "new"
    assert (cache.hits, cache.misses, cache.invalidations["local"]) == (1, 2, 0)


def test_a_reload_never_joins_a_load_that_began_before_it(cache, elsewhere):
    cache.invalidate_many((), lease_until=math.inf)
    slow = HeldLoad("old")
    early = elsewhere(cache.get_or_set, "a", slow)
    assert slow.began.wait(60)

    assert cache.reload("a", lambda: "new") == "new"
    slow.end.set()
    assert early.result(60) == "old"
    assert cache.get_or_set("a", refuse) == "new"


def test_a_reload_that_fails_keeps_nothing(cache):
    cache.invalidate_many((), lease_until=math.inf)
    cache.get_or_set("a", lambda: "old")

    def fail():
        raise LookupError("no such table")

    with pytest.raises(LookupError):
        cache.reload("a", fail)
    assert cache.get_or_set("a", lambda: "new") == "new"


def test_a_cache_without_a_lease_keeps_to_the_ttl(clock):
    cache: TTLCache[str] = TTLCache(clock)
    cache.get_or_set("a", lambda: "value")
    clock.now_s += TTL_S - 0.001

    assert cache.get_or_set("a", refuse) == "value"


def test_no_hit_is_served_past_a_lease_that_ends_while_others_read(elsewhere):
    """Readers that find an entry after `end_lease` returned would act on what may have changed unheard."""
    cache: TTLCache[int] = TTLCache(leased=True)
    truth, announced, done = [0], [0], threading.Event()

    def read():
        stale = 0
        for _ in range(5000):
            least = announced[0]
            stale += cache.get_or_set("a", lambda: truth[0]) < least
        return stale

    def lose_and_find():
        while not done.is_set():
            cache.invalidate_many((), lease_until=math.inf)
            truth[0] += 1
            cache.end_lease()
            announced[0] = truth[0]

    writer = elsewhere(lose_and_find)
    readers = [elsewhere(read) for _ in range(3)]
    stale = sum(reader.result(60) for reader in readers)
    done.set()
    writer.result(60)

    assert stale == 0
