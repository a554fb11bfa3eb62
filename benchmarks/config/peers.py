"""A config value read through what one could install instead, each as its own documentation shows it."""

import threading
from collections.abc import Callable, Mapping

import cachebox
import cachetools
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

TTL_S = 3600
Read = Callable[[str], object]


def peers(values: Mapping[str, object]) -> dict[str, Read]:
    """Return the reads of `values` by the name of who serves them, warm."""
    reads = {
        "cachebox @cached": _cachebox(values),
        "cachetools @cached, with a lock": _cachetools(values),
        "LocMemCache.get_or_set": _locmem(values),
    }
    for read in reads.values():
        for key in values:
            read(key)
    return reads


def _cachebox(values: Mapping[str, object]) -> Read:
    @cachebox.cached(cachebox.TTLCache(maxsize=1000, global_ttl=TTL_S))
    def read(key: str) -> object:
        return values[key]

    return read


def _cachetools(values: Mapping[str, object]) -> Read:
    @cachetools.cached(cachetools.TTLCache(maxsize=1000, ttl=TTL_S), lock=threading.Lock())
    def read(key: str) -> object:
        return values[key]

    return read


def _locmem(values: Mapping[str, object]) -> Read:
    cache = caches["default"]
    if not isinstance(cache, LocMemCache):
        raise TypeError(f"the default cache is a {type(cache).__name__}")

    def read(key: str) -> object:
        return cache.get_or_set(key, lambda: values[key], TTL_S)

    return read
