"""Upbit's request limits, kept by this process for all its threads (docs/upbit-client.md U4, U6)."""

import os
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from tradingsite.clients.deadline import Clock, Deadline
from tradingsite.clients.errors import RateLimited
from tradingsite.clients.response import Answer
from tradingsite.clients.upbit.refusals import explain, requests_left, wait_s

FIRST_BAN_S = 60.0
LONGEST_BAN_S = 3600.0
"""A ban of unstated length is taken for FIRST_BAN_S, doubled each time it follows another."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Pace:
    """How many requests of a group this process sends in any second; `groups` are those that differ.

    Below what Upbit allows: other processes send too. `counted` is whom Upbit counts, and bans.
    """

    counted: str
    a_second: int
    groups: Mapping[str, int] = field(default_factory=dict)

    def of(self, group: str) -> int:
        """Return how many requests of `group` go in any second."""
        return self.groups.get(group, self.a_second)


QUOTATION = Pace("our address", 8)
"""Of the 10 that Upbit allows an address in each group."""

EXCHANGE = Pace("our key", 25, {"order": 8, "order-test": 6})
"""Of the 30, 12 and 8 that Upbit allows a pocket (an account's part, to which the key belongs)."""


class RequestLimits:
    """Paces each group of endpoints and stops all of them during a ban. Safe for threads.

    The pace holds in any second, however Upbit cuts its seconds: a bucket that refills while it is being
    emptied would let nearly twice as many into one of them.
    """

    def __init__(self, clock: Clock, pace: Pace = QUOTATION) -> None:
        self._clock = clock
        self._pace = pace
        self._lock = threading.Lock()
        self._begun: dict[str, deque[float]] = {}
        self._held_until: dict[str, float] = {}
        self._banned_until = float("-inf")
        self._bans = 0

    def enter(self, group: str, deadline: Deadline) -> None:
        """Wait until `group` may send one request, and count it.

        Raises:
            RateLimited: during a ban, or when the wait does not fit into the deadline; nothing may be sent.
        """
        while (wait := self._take_or_wait_s(group)) > 0:
            if wait >= deadline.left_s():
                raise RateLimited(f"our own limit of group {group} is reached", retry_after_s=wait)
            self._clock.sleep(wait)

    def _take_or_wait_s(self, group: str) -> float:
        with self._lock:
            now = self._clock.monotonic()
            if now < self._banned_until:
                left_s = self._banned_until - now
                raise RateLimited(
                    f"Upbit bans {self._pace.counted} for {left_s:.0f} s more",
                    retry_after_s=left_s,
                    banned=True,
                )
            begun = self._begun.setdefault(group, deque(maxlen=self._pace.of(group)))
            free_at = begun[0] + 1 if len(begun) == begun.maxlen else now
            free_at = max(free_at, self._held_until.get(group, now))
            if free_at <= now:
                begun.append(now)
            return free_at - now

    def obey(self, group: str, answer: Answer) -> None:
        """Learn from an answer.

        Raises:
            RateLimited: it is a 429 or 418.
        """
        text = f"{answer.what}: {answer.status}: "
        if answer.status == 418:
            banned_s = self._ban(wait_s(answer))
            raise RateLimited(
                f"{text}Upbit bans {self._pace.counted} for {banned_s:.0f} s",
                retry_after_s=banned_s,
                banned=True,
            )
        if answer.status == 429:
            held_s = max(1.0, wait_s(answer) or 0)
            self._hold(group, held_s)
            raise RateLimited(text + explain(answer).message, retry_after_s=held_s)
        if requests_left(answer) == 0:
            self._hold(group, 1.0)  # by then Upbit's next second has begun, wherever its seconds start
        with self._lock:
            self._bans = 0

    def _hold(self, group: str, held_s: float) -> None:
        with self._lock:
            until = self._clock.monotonic() + held_s
            self._held_until[group] = max(until, self._held_until.get(group, until))

    def _ban(self, stated_s: float | None) -> float:
        with self._lock:
            now = self._clock.monotonic()
            if now >= self._banned_until:  # else an answer to a request that was under way already
                self._bans += 1
            banned_s = stated_s or min(FIRST_BAN_S * 2 ** (self._bans - 1), LONGEST_BAN_S)
            self._banned_until = max(self._banned_until, now + banned_s)
        logger.warning(
            "upbit.banned", counted=self._pace.counted, banned_s=banned_s, stated=stated_s is not None
        )
        return banned_s


_shared: dict[tuple[int, str, str, Clock], RequestLimits] = {}


def shared_limits(
    base_url: str, clock: Clock, *, access_key: str = "", pace: Pace = QUOTATION
) -> RequestLimits:
    """Return this process's limits for an address, or for a key there: each is banned by itself.

    A forked child has its own, with locks that are free.
    """
    return _shared.setdefault((os.getpid(), base_url, access_key, clock), RequestLimits(clock, pace))
