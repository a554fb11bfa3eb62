"""Runs the function of a probe or panel once, and turns its failure into a finding.

See docs/health.md, rules 6 and 7.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from psycopg.errors import UndefinedTable

from healthcheck.declared import import_function
from healthcheck.engine.slot import Clock, Flight, Result, no_answer
from healthcheck.report import Finding

logger = structlog.get_logger(__name__)

T = TypeVar("T")

# The traceback of a function that keeps failing with the same error is logged once in this time.
_REMIND_S = 300.0


@dataclass(frozen=True)
class Words:
    """The msgids shown for a function that raised.

    The exception's own text is never shown: it may hold a secret.
    """

    failed: str
    no_database: str
    no_table: str


class ProbeRun(Generic[T]):
    """Work for a slot: calls the function at a dotted path.

    Args:
        convert: makes the result from the function's return value, in the same thread.
    """

    def __init__(
        self, path: str, words: Words, *, limit_s: float, clock: Clock, convert: Callable[[Any], T]
    ) -> None:
        self._path, self._words, self._limit_s, self._clock, self._convert = (
            path,
            words,
            limit_s,
            clock,
            convert,
        )
        self._logged: tuple[type[BaseException], float] | None = None

    def __call__(self, flight: Flight) -> Result[T]:
        started_s = time.perf_counter()
        value, judged = self._call()
        latency_ms = round((time.perf_counter() - started_s) * 1000, 2) if judged else None
        if isinstance(value, Finding) and value.timed_out:
            latency_ms = None
        if self._clock() >= flight.limit_s:
            latency_ms = None
            # A late failure is still worth reporting; a late "healthy" is a time-out.
            if not (isinstance(value, Finding) and value.status == "unhealthy"):
                value = no_answer(self._limit_s)
        return Result(value, latency_ms, timezone.now(), self._clock())

    def _call(self) -> tuple[T | Finding, bool]:
        """Return the result, and whether it is the judgement of the function itself."""
        try:
            value = self._convert(import_function(self._path)())
        except (OperationalError, InterfaceError):
            return Finding.unjudged(self._words.no_database), False
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a failing probe is a finding, not a failing page
            if isinstance(error.__cause__, UndefinedTable):
                return Finding.unjudged(self._words.no_table), False
            self._log(error)
            return Finding("unhealthy", self._words.failed), False
        self._logged = None
        return value, True

    def _log(self, error: BaseException) -> None:
        now = self._clock()
        if self._logged and self._logged[0] is type(error) and now - self._logged[1] < _REMIND_S:
            return
        self._logged = type(error), now
        logger.error("health.failed", what=self._path, exc_info=error)
