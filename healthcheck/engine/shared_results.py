"""One process runs the probe, the others read its result from the database (docs/health.md, 9)."""

import time
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from typing import TypeVar, cast
from uuid import UUID

import structlog
from django.db import Error

from healthcheck.declared import ROW_WAIT_S, ProbeTask
from healthcheck.engine.bounded_thread import BoundedThread, CallTimedOut
from healthcheck.engine.slot import LATE_TTLS, Clock, Flight, Result, Work
from healthcheck.models import HealthResult
from healthcheck.report import Finding, Status

logger = structlog.get_logger(__name__)

T = TypeVar("T")

# A claim outlives its run by this, so that it ends before the result is written only if the process is gone.
_CLAIM_MARGIN_S = 1.0
_PAUSES_S = (0.02, 0.05, 0.1)


class SharedResult:
    """Work for a slot: takes the shared result while it is fresh, else claims the run and shares its result.

    A database that is down or frozen must not make another component look bad: then the run is not shared.
    """

    def __init__(self, task: ProbeTask, run: Work[Finding], *, clock: Clock) -> None:
        self._task, self._run, self._clock = task, run, clock
        self._bounded = BoundedThread(ROW_WAIT_S)

    def __call__(self, flight: Flight) -> Result[Finding]:
        known = _unless_it_fails(self._result_or_claim)
        if isinstance(known, Result):
            return known
        flight.limit_s = min(flight.limit_s, self._clock() + self._task.timeout_s)
        result = self._run(flight)
        if known is not None:
            self._publish(known, result)
        return result

    def _result_or_claim(self) -> Result[Finding] | UUID:
        """Return a result to use or a claim to measure; wait while another process measures the first one."""
        pauses_s = chain(_PAUSES_S, repeat(_PAUSES_S[-1]))
        while True:
            row, claim = self._bounded.call(self._row_or_claim)
            if claim:
                return claim
            if row and (result := self._usable(row)):
                return result
            time.sleep(next(pauses_s))

    def _row_or_claim(self) -> tuple[HealthResult | None, UUID | None]:
        task, rows = self._task, HealthResult.objects
        row = rows.with_age().filter(name=task.name).first()
        if row is None:
            rows.bulk_create([HealthResult(name=task.name)], ignore_conflicts=True)
        elif self._age_ttls(row) < 1:
            return row, None
        hold_s = task.timeout_s + _CLAIM_MARGIN_S
        return row, rows.claim(task.name, ttl_s=task.ttl_s, ttl_bad_s=task.ttl_bad_s, hold_s=hold_s)

    def _usable(self, row: HealthResult) -> Result[Finding] | None:
        if row.age is None or row.measured_at is None or self._age_ttls(row) >= LATE_TTLS:
            return None
        finding = Finding.restored(cast("Status", row.status), row.message, row.params, row.current_flags)
        return Result(finding, row.latency_ms, row.measured_at, self._clock() - row.age.total_seconds())

    def _age_ttls(self, row: HealthResult) -> float:
        if row.age is None:
            return LATE_TTLS
        ttl_s = self._task.ttl_s if row.status == "healthy" else self._task.ttl_bad_s
        return row.age.total_seconds() / ttl_s

    def _publish(self, claim: UUID, result: Result[Finding]) -> None:
        finding = result.value
        values = {
            "status": finding.status,
            "message": finding.message,
            "params": finding.params,
            "flags": finding.flags,
            "latency_ms": result.latency_ms,
        }
        publish = partial(HealthResult.objects.publish, self._task.name, claim, values)
        _unless_it_fails(lambda: self._bounded.call(publish))  # else the claim expires by itself


def _unless_it_fails(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except (CallTimedOut, Error):
        return None  # the database's own probe says what is wrong with it
    except Exception:
        # Sharing saves calls; whatever is wrong with it must not decide what is said of a component.
        logger.exception("health.not_shared")
        return None
