"""Pseudo-random numbers that depend only on seed, market, kind and index."""

import struct
from functools import cache, lru_cache
from hashlib import shake_128

_UNIT = 1 / 65536


@cache
def _shorts(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}H")


class Noise:
    def __init__(self, seed: int, market: str) -> None:
        self._keyed = shake_128(f"{seed}/{market}/".encode())
        self._lattice = lru_cache(maxsize=64)(self._lattice_point)

    def draws(self, kind: str, index: int, count: int) -> list[float]:
        """Return `count` numbers in [0, 1), always the same for this kind and index."""
        keyed = self._keyed.copy()
        keyed.update(f"{kind}{index}".encode())
        return [short * _UNIT for short in _shorts(count).unpack(keyed.digest(2 * count))]

    def smooth(self, step: int, position: int) -> float:
        """Return smooth noise in (-1, 1): a random value every `step` positions, interpolated between."""
        index, offset = divmod(position, step)
        here, x = self._lattice(step, index), offset / step
        return here + (self._lattice(step, index + 1) - here) * x * x * (3 - 2 * x) if offset else here

    def _lattice_point(self, step: int, index: int) -> float:
        return 2 * self.draws(f"smooth{step}/", index, 1)[0] - 1
