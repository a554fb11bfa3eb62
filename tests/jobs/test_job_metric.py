import io
import json
import logging
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from tradingsite import logs
from tradingsite.jobs.job_metric import JobMetric, describe, emit
from tradingsite.jobs.run_result import RunResult

NOON = datetime(2026, 1, 24, 12, tzinfo=UTC)
GOOD = {
    "metric_type": "job",
    "job_name": "collect_market_data",
    "duration_ms": 123.45,
    "success": True,
    "error": None,
    "timestamp": "2026-01-24T10:00:00Z",
}


@pytest.fixture
def lines():
    """What the real handler writes: the masking of the log comes after ours."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs._BareMaskedLine())
    logger = logging.getLogger("tradingsite.jobs.job_metric")
    logger.addHandler(handler)
    yield lambda: stream.getvalue().splitlines()
    logger.removeHandler(handler)


def test_example_of_the_specification_is_valid():
    assert json.loads(JobMetric.model_validate_json(json.dumps(GOOD)).model_dump_json()) == GOOD


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric_type": "Job"},
        {"job_name": "collect"},
        {"duration_ms": -0.01},
        {"duration_ms": 1.234},
        {"duration_ms": None},
        {"duration_ms": "1.2"},
        {"success": False},
        {"error": "late"},
        {"timestamp": "2026-01-24T10:00:00"},
        {"attempts": 1},
    ],
)
def test_invalid_metric_is_refused(wrong):
    with pytest.raises(ValidationError):
        JobMetric.model_validate_json(json.dumps(GOOD | wrong))


@pytest.mark.parametrize(
    ("duration_ms", "error"), [(0.0, None), (123.4, None), (59999.99, "Unreachable: no answer in 3 s")]
)
def test_run_logs_one_valid_line_with_its_end_in_utc(lines, duration_ms, error):
    ended = NOON.astimezone(timezone(timedelta(hours=9)))

    emit(RunResult("check_volatility", NOON, duration_ms, error=error, ended_at=ended))

    (line,) = lines()
    assert json.loads(line) == {
        "metric_type": "job",
        "job_name": "check_volatility",
        "duration_ms": duration_ms,
        "success": error is None,
        "error": error,
        "timestamp": "2026-01-24T12:00:00Z",
    }
    JobMetric.model_validate_json(line)


@pytest.mark.parametrize(
    "text",
    [
        "api_key=abcdefgh",
        'the header "Authorization": "Bearer abcdefgh.ijkl"',
        "connect to postgresql://site:hunter2hunter2@db/site failed",
        "token: 'abcdefgh'",
    ],
)
def test_secret_in_an_error_is_masked_and_the_line_stays_json(lines, text):
    emit(RunResult("check_volatility", NOON, 1.0, error=describe(ValueError(text))))

    (line,) = lines()
    assert "***" in str(JobMetric.model_validate_json(line).error)
    for secret in ("abcdefgh", "hunter2"):
        assert secret not in line


def test_error_is_one_short_line_that_the_database_accepts():
    text = describe(RuntimeError("a\0b\r\n  c\u2028d \ud800 비밀" + "x" * 3000))

    assert text.startswith("RuntimeError: a b c d ? 비밀xxx")
    assert len(text) == 500
    assert describe(KeyboardInterrupt()) == "KeyboardInterrupt"
