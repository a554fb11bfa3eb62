"""Decides whether the model may be called now: daily limit, quota, and pause after failures.

It counts rows of past calls in the database, so a restart resets nothing.

Rules: docs/signals.md D3.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction

from healthcheck.templatetags.moments import moment_text
from tradingsite.korean_day import start_of_day
from tradingsite.strategy.calls import ModelCall
from tradingsite.strategy.hold_reasons import NoAdvice

SIGNAL_INTERVAL = timedelta(minutes=30)
FAILURES_ALLOWED = 3
PAUSES = (2 * SIGNAL_INTERVAL, 4 * SIGNAL_INTERVAL)
"""After the third failure in a row, and after each further one."""
MAX_WAIT = timedelta(hours=24)

_LOCK = 0x5347_4E4C  # key of the advisory lock, "SGNL" in ASCII


def check(model: str, tick: datetime, at: datetime, daily_limit: int) -> None:
    """Return if `model` may be called for the signal of `tick`.

    Raises:
        NoAdvice: daily_limit, quota_wait or breaker_open.
    """
    begin = start_of_day(at)
    calls_today = ModelCall.objects.started_between(begin, begin + timedelta(days=1)).count()
    if calls_today >= daily_limit:
        raise NoAdvice("daily_limit", f"{calls_today} calls today, limit {daily_limit}")
    _check_quota(model, at)
    _check_breaker(model, tick)


def reserve_call(
    model: str, tick: datetime, at: datetime, daily_limit: int, call: Callable[[], ModelCall]
) -> ModelCall:
    """Check again and commit the row of a call that is about to be made; one process at a time.

    Must not be called inside a transaction: a row that is not committed is not counted by other processes.

    Raises:
        NoAdvice: as `check` and `refuse_repeat`.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        check(model, tick, at, daily_limit)
        call_row = call()
        refuse_repeat(call_row.market, tick)
        call_row.save(force_insert=True)
    return call_row


def refuse_repeat(market: str, tick: datetime) -> None:
    """Return if no call was made for `market` at `tick`. A lost answer is not requested again.

    Raises:
        NoAdvice: asked_before.
    """
    calls = ModelCall.objects.filter(started_at__gte=tick - MAX_WAIT)  # limits the search to an index range
    if calls.filter(market=market, tick=tick).exists():
        raise NoAdvice("asked_before", "the model was called for this tick, but its answer was not saved")


def not_before(at: datetime, retry_after_s: float | None, *, daily_quota: bool) -> datetime | None:
    """Return when to try again after a quota was used up at `at`: for a daily quota the next Korean day."""
    if daily_quota:
        return start_of_day(at) + timedelta(days=1)
    if retry_after_s is None:
        return None
    return at + timedelta(seconds=min(retry_after_s, MAX_WAIT.total_seconds()))


def _check_quota(model: str, at: datetime) -> None:
    blocked = ModelCall.objects.filter(
        model_asked=model, started_at__gte=at - 2 * MAX_WAIT, not_before__gt=at
    )
    until = blocked.order_by("-not_before").values_list("not_before", flat=True).first()
    if until is not None:
        raise NoAdvice("quota_wait", f"the model's quota is used up until {moment_text(until)} UTC")


def _check_breaker(model: str, tick: datetime) -> None:
    failures = ModelCall.objects.failures_in_a_row(model, FAILURES_ALLOWED + 1)
    further = len(failures) - FAILURES_ALLOWED
    if further < 0:
        return
    until = failures[0].tick + PAUSES[min(further, len(PAUSES) - 1)]
    if tick < until:
        kinds = ", ".join(dict.fromkeys(call.error_kind for call in failures))
        next_at = moment_text(until, "time minutes")
        text = f"{len(failures)} calls in a row failed ({kinds}): the next is at {next_at} UTC"
        raise NoAdvice("breaker_open", text)
