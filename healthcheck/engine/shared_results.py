"""One process runs the probe; the others read its result from the database (docs/health.md, rule 9)."""

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

# A claim lasts longer than its run by this. One that expires unused belonged to a process that is gone.
_CLAIM_MARGIN_S = 1.0
_PAUSES_S = (0.02, 0.05, 0.1)


class SharedResult:
    """Work for a slot: uses the shared result while it is fresh, else claims the run and publishes a new one.

    When the row cannot be read in time the probe runs unshared: a database that is down must not make another
    component look bad.
    """

    def __init__(self, task: ProbeTask, run: Work[Finding], *, clock: Clock) -> None:
        self._task, self._run, self._clock = task, run, clock
        self._bounded = BoundedThread(ROW_WAIT_S)

    def __call__(self, flight: Flight) -> Result[Finding]:
        known = _none_on_failure(self._result_or_claim)
        if isinstance(known, Result):
            return known
        flight.limit_s = min(flight.limit_s, self._clock() + self._task.timeout_s)
        result = self._run(flight)
        if known is not None:
            self._publish(known, result)
        return result

    def _result_or_claim(self) -> Result[Finding] | UUID:
        """Return a result to use, or the claim with which to run the probe.

        Waits while another process holds the claim and there is no result that could be shown.
        """
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
        _none_on_failure(lambda: self._bounded.call(publish))  # on failure the claim expires


def _none_on_failure(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except (CallTimedOut, Error):
        return None  # the database's own probe says what is wrong with it
    except Exception:
        # Sharing only saves calls: a failure of it must not change the state of a component.
        logger.exception("health.not_shared")
        return None
