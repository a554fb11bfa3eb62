"""Whether the model may be called now: by the rows of past calls, so a restart forgets nothing (D3)."""

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
LONGEST_WAIT = timedelta(hours=24)

_LOCK = 0x5347_4E4C  # "SGNL": of the advisory locks of this database


def check(model: str, tick: datetime, at: datetime, daily_limit: int) -> None:
    """Return when `model` may be called for the signal of `tick`.

    Raises:
        NoAdvice: daily_limit, quota_wait or breaker_open.
    """
    begin = start_of_day(at)
    made = ModelCall.objects.begun_in(begin, begin + timedelta(days=1)).count()
    if made >= daily_limit:
        raise NoAdvice("daily_limit", f"{made} calls today, limit {daily_limit}")
    _check_quota(model, at)
    _check_breaker(model, tick)


def book(
    model: str, tick: datetime, at: datetime, daily_limit: int, call: Callable[[], ModelCall]
) -> ModelCall:
    """Check again, then commit the row of a call that is about to be made; one process at a time.

    Must not be called inside a transaction: a row that is not committed does not count (`durable` refuses).

    Raises:
        NoAdvice: as `check` and `refuse_again`.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        check(model, tick, at, daily_limit)
        booked = call()
        refuse_again(booked.market, tick)
        booked.save(force_insert=True)
    return booked


def refuse_again(market: str, tick: datetime) -> None:
    """Return when no call was made for `market` at `tick`; a lost answer is not requested again.

    Raises:
        NoAdvice: asked_before.
    """
    begun = ModelCall.objects.filter(started_at__gte=tick - LONGEST_WAIT)  # by an index
    if begun.filter(market=market, tick=tick).exists():
        raise NoAdvice("asked_before", "the model was asked for this tick, and what it answered was not kept")


def not_before(at: datetime, retry_after_s: float | None, *, daily_quota: bool) -> datetime | None:
    """Return when a quota that was used up at `at` may be tried again; a daily one on the next Korean day."""
    if daily_quota:
        return start_of_day(at) + timedelta(days=1)
    if retry_after_s is None:
        return None
    return at + timedelta(seconds=min(retry_after_s, LONGEST_WAIT.total_seconds()))


def _check_quota(model: str, at: datetime) -> None:
    waiting = ModelCall.objects.filter(
        model_asked=model, started_at__gte=at - 2 * LONGEST_WAIT, not_before__gt=at
    )
    until = waiting.order_by("-not_before").values_list("not_before", flat=True).first()
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
