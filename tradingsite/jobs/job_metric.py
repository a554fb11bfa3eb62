"""Writes JobMetric, one JSON line in the log for every run (docs/scheduler.md, R21)."""

import logging
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.timetable import registered
from tradingsite.masking import mask

# Not structlog: the line contains only the metric, in every log format.
_log = logging.getLogger(__name__)

LONGEST_ERROR = 500


def _registered_name(name: str) -> str:
    if name not in registered():
        raise ValueError(f"is not a registered job: {', '.join(registered())}")
    return name


def _two_decimals(value: float) -> float:
    if value != round(value, 2):
        raise ValueError("has more than two decimals")
    return value


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


class JobMetric(BaseModel):
    """The metric of one run, with exactly the specification's fields. The job tables have more."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    metric_type: Literal["job"] = "job"
    job_name: Annotated[str, AfterValidator(_registered_name)]
    duration_ms: Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_two_decimals)]
    success: bool
    error: str | None
    timestamp: Annotated[AwareDatetime, AfterValidator(_utc)]

    @model_validator(mode="after")
    def _success_has_no_error(self) -> Self:
        if self.success != (self.error is None):
            raise ValueError("success must be true exactly when error is null")
        return self


def emit(result: RunResult) -> None:
    metric = JobMetric(
        job_name=result.job_name,
        duration_ms=result.duration_ms,
        success=result.success,
        error=result.error,
        timestamp=result.ended_at,
    )
    _log.info("%s", metric.model_dump_json())


def describe(error: BaseException) -> str:
    """Return an error as one short line that JSON and PostgreSQL accept, with secrets masked."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    line = " ".join(text.replace("\0", " ").encode(errors="replace").decode().split())
    return mask(line[: 4 * LONGEST_ERROR])[:LONGEST_ERROR]
