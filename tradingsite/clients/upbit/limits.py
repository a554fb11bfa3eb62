"""Keeps this process within Upbit's request limits, for all its threads.

Rules: docs/upbit-client.md U4, U6, U11.
"""

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
"""A ban of unstated length counts as FIRST_BAN_S, and twice as long for each one after another."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Pace:
    """How many requests of an endpoint group this process sends per second; `groups` lists the exceptions.

    Lower than Upbit's own limits, because other processes send, too. `subject` names what Upbit counts by and
    bans, for messages.
    """

    subject: str
    per_second: int
    groups: Mapping[str, int] = field(default_factory=dict)

    def limit(self, group: str) -> int:
        return self.groups.get(group, self.per_second)


QUOTATION = Pace("our address", 8)
"""Upbit allows each address 10 per group."""

EXCHANGE = Pace("our key", 25, {"order": 8, "order-test": 6})
"""Upbit allows each pocket (the part of an account that a key belongs to) 30, 12 and 8."""


class RequestLimits:
    """Rate limiter for each endpoint group; during a ban it blocks all groups. Thread-safe.

    It counts over a sliding second, because we do not know where Upbit's seconds start: a token bucket that
    refills while it is being emptied would let nearly twice as many requests into one of them.
    """

    def __init__(self, clock: Clock, pace: Pace = QUOTATION) -> None:
        self._clock = clock
        self._pace = pace
        self._lock = threading.Lock()
        self._sent_at: dict[str, deque[float]] = {}
        self._paused_until: dict[str, float] = {}
        self._banned_until = float("-inf")
        self._bans = 0

    def acquire(self, group: str, deadline: Deadline) -> None:
        """Wait until one request of `group` may be sent, and count it.

        Raises:
            RateLimited: during a ban, or if the wait would pass the deadline; the request must not be sent.
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
                    f"Upbit bans {self._pace.subject} for {left_s:.0f} s more",
                    retry_after_s=left_s,
                    banned=True,
                )
            sent_at = self._sent_at.setdefault(group, deque(maxlen=self._pace.limit(group)))
            free_at = sent_at[0] + 1 if len(sent_at) == sent_at.maxlen else now
            free_at = max(free_at, self._paused_until.get(group, now))
            if free_at <= now:
                sent_at.append(now)
            return free_at - now

    def check_answer(self, group: str, answer: Answer) -> None:
        """Adjust the limits to an answer's status and `Remaining-Req` header.

        Raises:
            RateLimited: the answer is a 429 or 418.
        """
        text = f"{answer.what}: {answer.status}: "
        if answer.status == 418:
            banned_s = self._ban(wait_s(answer))
            raise RateLimited(
                f"{text}Upbit bans {self._pace.subject} for {banned_s:.0f} s",
                retry_after_s=banned_s,
                banned=True,
            )
        if answer.status == 429:
            pause_s = max(1.0, wait_s(answer) or 0)
            self._pause(group, pause_s)
            raise RateLimited(text + explain(answer).message, retry_after_s=pause_s)
        if requests_left(answer) == 0:
            self._pause(group, 1.0)  # by then Upbit's next second has begun, wherever its seconds start
        with self._lock:
            self._bans = 0

    def _pause(self, group: str, pause_s: float) -> None:
        with self._lock:
            until = self._clock.monotonic() + pause_s
            self._paused_until[group] = max(until, self._paused_until.get(group, until))

    def _ban(self, stated_s: float | None) -> float:
        with self._lock:
            now = self._clock.monotonic()
            if now >= self._banned_until:  # otherwise it answers a request sent before the ban
                self._bans += 1
            banned_s = stated_s or min(FIRST_BAN_S * 2 ** (self._bans - 1), LONGEST_BAN_S)
            self._banned_until = max(self._banned_until, now + banned_s)
        logger.warning(
            "upbit.banned", counted=self._pace.subject, banned_s=banned_s, stated=stated_s is not None
        )
        return banned_s


_shared: dict[tuple[int, str, str, Clock], RequestLimits] = {}


def shared_limits(
    base_url: str, clock: Clock, *, access_key: str = "", pace: Pace = QUOTATION
) -> RequestLimits:
    """Return this process's limiter for a host, or for one API key there, since Upbit bans each separately.

    The process id is part of the key, so that a forked child gets its own limiter with unlocked locks.
    """
    return _shared.setdefault((os.getpid(), base_url, access_key, clock), RequestLimits(clock, pace))
