"""A cache for values that are read all the time and rarely change. It does not depend on Django.

See docs/config-cache.md, rules 1 to 13 and 18 to 20.
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
UNLEASED_TTL_S = 1.0  # without a lease: a change might go unnoticed
# Longer than the longest load: 3 s for a pooled connection, then a statement of at most 15 s.
WAIT_S = 20.0


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    """One load in progress. It may store its value only while it is still registered for its key."""

    started_s: float
    leader: int = field(default_factory=threading.get_ident)
    landed: threading.Event = field(default_factory=threading.Event)
    loaded: tuple[T] | None = None
    error: Exception | None = None


class TTLCache(Generic[T]):
    """Keeps each value until it is invalidated, or for `TTL_S` from the start of its load.

    A hit takes no lock. `entries` maps a key to its value, to the time by `clock` after which it may not be
    served, and to the end of its TTL. It is the same dict for the cache's whole life, so that a hot path may
    bind `entries.get`; it must then compare the time and count the hit itself. Values must be immutable: they
    are returned without a copy.

    A `leased` cache serves nothing after its lease, which the listener extends while it can prove that it
    receives changes. The lease is part of each entry's time limit, so that a hit compares one time only.
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
        """Reset everything. The lock is replaced too: in a forked child a thread of the parent may own it."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[T]] = {}
        self._lease_until = -math.inf if self._leased else math.inf
        self.entries.clear()
        self.hits = self.misses = 0
        self.coalesced = 0  # calls that waited for the load of another thread
        self.discarded = 0  # loads invalidated while running: returned to waiting callers, never stored
        self.invalidations: dict[Source, int] = {"local": 0, "notify": 0, "reconnect": 0, "anti_entropy": 0}

    def get_or_set(self, key: str, factory: Callable[[], T]) -> T:
        """Return the value of `key`. On a miss `factory` is called once for all threads that wait.

        Raises:
            RuntimeError: `factory` reads the key that it is loading.
            TimeoutError: the load of another thread did not end in time.
            Exception: whatever `factory` raises; errors are not cached.
        """
        entry = self.entries.get(key)
        if entry is not None and self._clock() < entry[1]:
            self.hits += 1
            return entry[0]
        return self._miss(key, factory)

    async def aget_or_set(self, key: str, factory: Callable[[], T]) -> T:
        """Do what `get_or_set` does in an event loop: a hit returns at once, a miss waits in a thread."""
        entry = self.entries.get(key)
        if entry is not None and self._clock() < entry[1]:
            self.hits += 1
            return entry[0]
        return await asyncio.to_thread(self._miss, key, factory)

    def load_uncached(self, factory: Callable[[], T]) -> T:
        """Call `factory` and count a miss; the value is neither stored nor shared."""
        with self._lock:
            self.misses += 1
        return factory()

    def reload(self, key: str, factory: Callable[[], T]) -> T:
        """Call `factory` even if there is a value, and store the result: it is at least as new as this call.

        Raises the same errors as `get_or_set`.
        """
        with self._lock:
            self.misses += 1
            self._drop(key)
            own = self._flights[key] = _Flight[T](self._clock())
        return self._lead(key, own, factory)

    def invalidate(self, key: str | None = None) -> None:
        """Drop the value of `key`, or all values. Reads that start afterwards see the new value."""
        self.invalidate_many([key], source="local")

    def invalidate_many(
        self, keys: Iterable[str | None], lease_until: float | None = None, source: Source = "notify"
    ) -> None:
        """Drop each of `keys` (None: all) and then, if given, set the end of the lease, under one lock."""
        with self._lock:
            for key in keys:
                self._drop(key)
                self.invalidations[source] += 1
            if lease_until is not None:
                self._lease_until = lease_until
                for key, (value, _until, ttl_end) in self.entries.items():
                    self.entries[key] = (value, min(ttl_end, lease_until), ttl_end)

    def end_lease(self) -> None:
        """Drop everything, and keep later loads for `UNLEASED_TTL_S` only: changes may go unnoticed now."""
        with self._lock:
            self._lease_until = -math.inf
            self._drop(None)

    def stats(self) -> dict[str, float]:
        """Return `hits`, `misses`, `hit_rate` (a ratio, 0 without calls) and `size`."""
        hits, misses = self.hits, self.misses
        rate = hits / (hits + misses) if hits + misses else 0.0
        return {"hits": hits, "misses": misses, "hit_rate": rate, "size": len(self.entries)}

    def _miss(self, key: str, factory: Callable[[], T]) -> T:
        while True:
            with self._lock:
                entry = self.entries.get(key)
                if entry is not None and self._clock() < entry[1]:  # loaded meanwhile by another thread
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
            # Also after KeyboardInterrupt. Then there is neither value nor error, and a waiting thread loads.
            self._land(key, flight)
        return value

    def _follow(self, key: str, flight: _Flight[T]) -> tuple[T] | None:
        """Wait for the load of another thread. None: it was interrupted, so the caller must try again."""
        if flight.leader == threading.get_ident():
            raise RuntimeError(f"the load of {key!r} asks for {key!r}")
        landed = flight.landed.wait(self._wait_s)
        if landed and flight.loaded is None and flight.error is None:
            return None
        with self._lock:
            self.coalesced += 1
            if not landed and self._flights.get(key) is flight:
                del self._flights[key]  # so that the next caller starts a new load
        if flight.error is not None:
            raise flight.error
        if flight.loaded is None:
            raise TimeoutError(f"the load of {key!r} did not end within {self._wait_s:g} s")
        return flight.loaded

    def _drop(self, key: str | None) -> None:
        """Remove the value, and the load so that it is not stored. The caller holds the lock."""
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
