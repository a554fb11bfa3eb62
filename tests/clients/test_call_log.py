"""The log of the trader's own calls: which calls count, and what it reads from the answers' headers."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.clients.peer import FakeClock
from tradingsite.clients import errors
from tradingsite.clients.call_log import MAX_CALLS, CallLog, probing
from tradingsite.clients.response import Answer

NOON = datetime(2026, 1, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def log():
    return CallLog()


@pytest.fixture
def clock():
    return FakeClock().clock


def call(log, clock, error=None, *, headers=None, status=200, took_s=0.0, left=None):
    """Record one call with this result; return the summary."""
    try:
        with log.recording(clock) as context:
            clock.sleep(took_s)
            context.observe(Answer("GET /x", status, headers or {}, b""), NOON, group="ticker", left=left)
            if error:
                raise error
    except errors.ClientError:
        pass
    return log.summary(clock)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.Unreachable("x"), "unreachable"),
        (errors.TimedOut("x"), "timeout"),
        (errors.Unavailable("x", status=503), "failing"),
        (errors.RateLimited("x", retry_after_s=9), "limited"),
        (errors.RateLimited("x", retry_after_s=9, banned=True), "banned"),
        (errors.KeyRejected("x", name=None, message="x", status=401), "key"),
        (errors.InvalidResponse("x"), "invalid"),
    ],
)
def test_failure_is_recorded_with_its_kind(log, clock, error, kind):
    summary = call(log, clock, error)

    assert (summary.answered, summary.failed, summary.failure_kind) == (0, 1, kind)
    assert summary.success_s_ago is None


def test_rejected_request_counts_as_answered(log, clock):
    summary = call(log, clock, errors.NotFound("x", name="order_not_found", message="x", status=404))

    assert (summary.answered, summary.failed) == (1, 0)


@pytest.mark.parametrize(
    ("status", "kind"), [(200, ""), (400, ""), (429, "limited"), (418, "banned"), (502, "failing")]
)
def test_http_status_decides_the_kind_when_nothing_is_raised(log, clock, status, kind):
    """Placing an order returns its outcome and raises nothing."""
    assert call(log, clock, status=status).failure_kind == kind


def test_summary_covers_the_last_twenty_calls(log, clock):
    for _ in range(5):
        call(log, clock, errors.Unreachable("x"))
    for _ in range(MAX_CALLS - 2):
        summary = call(log, clock)

    assert (summary.answered, summary.failed) == (MAX_CALLS - 2, 2)


def test_summary_has_ages_latency_and_remaining_ban_time(log, clock):
    call(log, clock, errors.RateLimited("x", retry_after_s=60, banned=True))
    clock.sleep(10)
    call(log, clock, took_s=0.25)
    clock.sleep(5)
    summary = log.summary(clock)

    assert summary.failure_s_ago == pytest.approx(15.25)
    assert summary.success_s_ago == pytest.approx(5)
    assert summary.p50_ms == pytest.approx(250)
    assert summary.limited_for_s == pytest.approx(44.75)
    assert summary.banned


def test_summary_has_request_budget_and_clock_skew_from_the_headers(log, clock):
    ahead = (NOON - timedelta(seconds=7)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    call(log, clock, headers={"Date": "no date"}, left=None)
    summary = call(log, clock, headers={"Date": ahead}, left=4)

    assert summary.skew_s == pytest.approx(6.5)
    assert summary.budget == {"ticker": 4}


def test_probe_calls_do_not_count_except_for_a_ban(log, clock):
    with probing():
        call(log, clock)
        summary = call(log, clock, errors.RateLimited("x", retry_after_s=60, banned=True))

    assert (summary.version, summary.answered, summary.failed) == (1, 0, 0)
    assert summary.banned


def test_foreign_exception_propagates_without_being_recorded(log, clock):
    with pytest.raises(ZeroDivisionError), log.recording(clock):
        raise ZeroDivisionError
    assert log.summary(clock).version == 0
