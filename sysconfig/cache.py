"""A cache for values that are read all the time and changed rarely. No Django in it.

docs/config-cache.md 1 to 13 and 18 to 20 states its rules.
"""

import asyncio
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")
Source = Literal["local", "notify", "reconnect", "anti_entropy"]

TTL_S = 3600.0
UNLEASED_TTL_S = 1.0  # while nothing proves that a change would be heard
# Longer than the longest load: 3 s for a pooled connection, then a statement of at most 15 s.
WAIT_S = 20.0


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    """One load under way. It may store its value while it is the one on record for its key."""

    started_s: float
    leader: int = field(default_factory=threading.get_ident)
    landed: threading.Event = field(default_factory=threading.Event)
    loaded: tuple[T] | None = None
    error: Exception | None = None


class TTLCache(Generic[T]):
    """Keeps each value for `TTL_S` from the start of its load, or until it is invalidated.

    A hit takes no lock. `entries` (key → value, the moment, by `clock`, when it can't be served any more, and
    the end of its TTL) is the same dict for the cache's whole life, so a reader in a hurry may bind
    `entries.get`; it then compares the moment and counts the hit itself. Values must be immutable: they are
    handed out without a copy.

    A `leased` cache serves nothing past its lease, which the listener extends. It is written into
    each entry, so that a hit compares one moment and not two.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wait_s: float = WAIT_S, *, leased: bool = False
    ) -> None:
        self.entries: dict[str, tuple[T, float, float]] = {}
        self._clock = clock
        self._wait_s = wait_s
        self._leased = leased
        self.start_over()
        _caches.add(self)

    def start_over(self) -> None:
        """Reset everything, lock included: in a forked child another thread of the parent may own it."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[T]] = {}
        self._lease_until = -math.inf if self._leased else math.inf
        self.entries.clear()
        self.hits = self.misses = 0
        self.coalesced = 0  # calls that were given another thread's load
        self.discarded = 0  # loads that an invalidation overtook: handed to waiting callers, never stored
        self.invalidations: dict[Source, int] = {"local": 0, "notify": 0, "reconnect": 0, "anti_entropy": 0}

    def get_or_set(self, key: str, factory: Callable[[], T]) -> T:
        """Return the value of `key`; on a miss call `factory` once for all threads that wait.

        Raises:
            RuntimeError: `factory` asks for the key that it is loading.
            TimeoutError: another thread's load did not end in time.
            Exception: whatever `factory` raises; it is not kept.
        """
        entry = self.entries.get(key)
        if entry is not None and self._clock() < entry[1]:
            self.hits += 1
            return entry[0]
        return self._miss(key, factory)

    async def aget_or_set(self, key: str, factory: Callable[[], T]) -> T:
        """Return what `get_or_set` returns; a hit does not leave the event loop, a miss waits in a thread."""
        entry = self.entries.get(key)
        if entry is not None and self._clock() < entry[1]:
            self.hits += 1
            return entry[0]
        return await asyncio.to_thread(self._miss, key, factory)

    def load_uncached(self, factory: Callable[[], T]) -> T:
        """Call `factory` and count a miss; the value is neither kept nor shared."""
        with self._lock:
            self.misses += 1
        return factory()

    def reload(self, key: str, factory: Callable[[], T]) -> T:
        """Call `factory` whatever is kept, and keep its value: it is no older than this call.

        Raises what `get_or_set` raises.
        """
        with self._lock:
            self.misses += 1
            self._drop(key)
            own = self._flights[key] = _Flight[T](self._clock())
        return self._lead(key, own, factory)

    def invalidate(self, key: str | None = None) -> None:
        """Forget the value of `key`, or all of them: reads that start after this returned see what is new."""
        self.invalidate_many([key], source="local")

    def invalidate_many(
        self, keys: Iterable[str | None], lease_until: float | None = None, source: Source = "notify"
    ) -> None:
        """Forget each of `keys` (None: all), then extend the lease if it is given: in one step."""
        with self._lock:
            for key in keys:
                self._drop(key)
                self.invalidations[source] += 1
            if lease_until is not None:
                self._lease_until = lease_until
                for key, (value, _until, ttl_end) in self.entries.items():
                    self.entries[key] = (value, min(ttl_end, lease_until), ttl_end)

    def end_lease(self) -> None:
        """Forget all, and keep loads for `UNLEASED_TTL_S` only: from now on changes may pass unheard."""
        with self._lock:
            self._lease_until = -math.inf
            self._drop(None)

    def stats(self) -> dict[str, float]:
        """Return `hits`, `misses`, `hit_rate` (a ratio, 0 at first) and `size`; change nothing."""
        hits, misses = self.hits, self.misses
        rate = hits / (hits + misses) if hits + misses else 0.0
        return {"hits": hits, "misses": misses, "hit_rate": rate, "size": len(self.entries)}

    def _miss(self, key: str, factory: Callable[[], T]) -> T:
        while True:
            with self._lock:
                entry = self.entries.get(key)
                if entry is not None and self._clock() < entry[1]:  # loaded while we came here
                    self.hits += 1
                    return entry[0]
                flight = self._flights.get(key)
                if flight is None:
                    self.misses += 1
                    own = self._flights[key] = _Flight[T](self._clock())
            if flight is None:
                return self._lead(key, own, factory)
            loaded = self._follow(key, flight)
            if loaded is not None:
                return loaded[0]

    def _lead(self, key: str, flight: _Flight[T], factory: Callable[[], T]) -> T:
        try:
            value = factory()
            flight.loaded = (value,)
        except Exception as error:
            flight.error = error
            raise
        finally:
            # Also after KeyboardInterrupt: with neither value nor error a waiting thread takes over.
            self._land(key, flight)
        return value

    def _follow(self, key: str, flight: _Flight[T]) -> tuple[T] | None:
        """Wait for another thread's load. None: that thread was interrupted, and another must load."""
        if flight.leader == threading.get_ident():
            raise RuntimeError(f"the load of {key!r} asks for {key!r}")
        landed = flight.landed.wait(self._wait_s)
        if landed and flight.loaded is None and flight.error is None:
            return None
        with self._lock:
            self.coalesced += 1
            if not landed and self._flights.get(key) is flight:
                del self._flights[key]  # so that the next caller does not wait for it
        if flight.error is not None:
            raise flight.error
        if flight.loaded is None:
            raise TimeoutError(f"the load of {key!r} did not end within {self._wait_s:g} s")
        return flight.loaded

    def _drop(self, key: str | None) -> None:
        """Remove value and flight: what is being loaded is never stored. The caller holds the lock."""
        if key is None:
            self.entries.clear()
            self._flights.clear()
        else:
            self.entries.pop(key, None)
            self._flights.pop(key, None)

    def _land(self, key: str, flight: _Flight[T]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
                if flight.loaded is not None:
                    ttl_end = flight.started_s + TTL_S
                    until = max(self._lease_until, flight.started_s + UNLEASED_TTL_S)
                    self.entries[key] = (flight.loaded[0], min(ttl_end, until), ttl_end)
            elif flight.loaded is not None:
                self.discarded += 1
        flight.landed.set()


_caches: weakref.WeakSet[TTLCache[Any]] = weakref.WeakSet()


def _start_over_in_child() -> None:
    for cache in list(_caches):
        cache.start_over()


os.register_at_fork(after_in_child=_start_over_in_child)
