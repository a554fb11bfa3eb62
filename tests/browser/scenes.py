"""Situations of the site, as rows that jobs and operators would have written."""

from datetime import datetime, timedelta
from decimal import Decimal
from math import sin

from django.utils import timezone
from django_apscheduler.models import DjangoJob

from tests.marketdata.feed import record_price, watched
from tests.orders.trades import bought, sold
from tradingsite.jobs import control
from tradingsite.jobs.models import JobEvent, JobState, SchedulerHeartbeat, SchedulerProcess
from tradingsite.jobs.records import rollup
from tradingsite.jobs.run_result import RunResult
from tradingsite.jobs.timetable import SCHEDULE
from tradingsite.korean_day import day_of
from tradingsite.marketdata.models import Ticker
from tradingsite.orders.models import AccountReading, Order, TradingDay
from tradingsite.risk.models import Halt
from tradingsite.strategy.models import SignalOutcome, TradingSignal

BTC = "KRW-BTC"
AHEAD = timedelta(minutes=10)
"""The scheduler's rows are dated so far ahead: on a busy machine a test may outlast the 15 s after which a
scheduler counts as dead."""


def at_work() -> None:
    """A scheduler leads, every job has run and is on time, and one market was polled for five minutes."""
    now = timezone.now()
    SchedulerHeartbeat.objects.take_over("trader-1", 4242)
    JobState.objects.register(job.name for job in SCHEDULE)
    for number, job in enumerate(SCHEDULE, 1):
        JobState.objects.record(RunResult(job.name, None, 41.2 * number, {"rows": 1}))
        DjangoJob.objects.create(id=job.name, next_run_time=now + job.every / 2, job_state=b"")
    SchedulerHeartbeat.objects.update(heartbeat_at=now + AHEAD, last_loop_at=now + AHEAD)
    JobState.objects.update(last_success_at=now + AHEAD, awaited_since=now + AHEAD)
    watched(BTC, "142950000", "143210000", at=now)


def trading() -> None:
    """A day of prices and decisions: two buys, a partial sale, a denied buy and an open order."""
    now = timezone.now()
    a_day_of_prices(now)
    for hours, price in ((20, "141800000"), (9, "142300000")):
        order = bought(BTC, (price, "0.002"), at=now - timedelta(hours=hours), fee=Decimal("141.8"))
        backdate(order.signal, Decimal(price))
        measure_outcomes(order.signal)
    sold(BTC, ("144100000", "0.001"), at=now - timedelta(hours=4), fee=Decimal("72.05"))
    dust = bought("KRW-XRP", ("3000", "1.5"), at=now - timedelta(hours=30), fee=2)
    backdate(dust.signal, Decimal(3000))
    record_price("KRW-XRP", "2950", now)
    for minutes in range(120, 1440, 120):
        decided(now - timedelta(minutes=minutes), "HOLD", confidence=Decimal("0.55"))
    decided(now - timedelta(minutes=45), "HOLD", price=None, reason_code="timeout")
    denied(now - timedelta(minutes=15))
    open_order = bought(BTC, at=now, state="OPEN", funds=100_000)
    backdate(open_order.signal, Decimal(143_210_000))
    read_account(now)


def a_day_of_prices(now: datetime) -> None:
    """KRW-BTC moved gently for a day, with a gap of half an hour without polls."""
    five_min = timedelta(minutes=5)
    seen = [now - five_min * number for number in range(288, 1, -1) if not 150 < number < 157]
    Ticker.objects.bulk_create(
        Ticker(
            market=BTC,
            price=143_000_000 + int(1_200_000 * sin(number / 19) + 250_000 * sin(number / 2.3)),
            traded_at=at,
            first_seen_at=at,
            last_seen_at=at + five_min,
        )
        for number, at in enumerate(seen)
    )


def decided(at: datetime, decision: str, **facts) -> TradingSignal:
    known = {"price": Decimal(143_210_000), "as_of": at, "tick": at, **facts}
    return TradingSignal.objects.create(market=BTC, decision=decision, created_at=at, **known)


def backdate(signal: TradingSignal | None, price: Decimal) -> None:
    """Give a signal the time of its tick and the price of that time."""
    assert signal is not None
    TradingSignal.objects.filter(pk=signal.pk).update(
        created_at=signal.tick, price=price, confidence=Decimal("0.82")
    )


def denied(at: datetime) -> None:
    """The model said buy with confidence; the risk gate denied it."""
    signal = decided(at, "BUY", confidence=Decimal("0.91"))
    facts = {"side": "bid", "ord_type": "price", "reason": "exposure_full", "cause": "signal"}
    order = Order.objects.create(signal=signal, identifier="denied", market=BTC, **facts)
    order.state = "DENIED"
    order.save()


def decision_without_order() -> None:
    """The model said buy five minutes ago; there is neither an order nor a denial."""
    at = timezone.now() - timedelta(minutes=5)
    decided(at, "BUY", confidence=Decimal("0.9"))


def measure_outcomes(signal: TradingSignal | None) -> None:
    """Record the price after 30 and 240 minutes; the outcome after a day is still to come."""
    assert signal is not None
    for after_min, move_pct in ((30, "0.31"), (240, "-1.2")):
        SignalOutcome.objects.create(
            signal=signal,
            after_min=after_min,
            price=143_500_000,
            move_pct=Decimal(move_pct),
            measured_at=timezone.now(),
        )


def read_account(now: datetime) -> None:
    """The account was read half a minute ago, and the day has its base equity."""
    AccountReading.objects.create(
        read_at=now - timedelta(seconds=31),
        krw_free=Decimal("9575204.1502"),
        krw_locked=Decimal(100_050),
        coins={"BTC": ["0.003", "0"]},
        equity=Decimal("10104884.1502"),
    )
    TradingDay.objects.create(
        day=day_of(now), base_equity=Decimal(10100000), base_result=Decimal(1000), based_at=now
    )


def halted() -> None:
    """One market is halted for volatility and all by an operator; another halt has ended."""
    now = timezone.now()
    facts = {
        "move_pct": Decimal("3.42"),
        "threshold_pct": Decimal(3),
        "reason": "moved",
        "made_by": "check_volatility",
    }
    Halt.objects.create(
        market="KRW-BTC", kind="volatility", started_at=now, until=now + timedelta(minutes=15), **facts
    )
    Halt.objects.create(
        kind="operator", started_at=now, reason="exchange maintenance at 3", made_by="operator"
    )
    Halt.objects.create(
        market="KRW-ETH",
        kind="volatility",
        started_at=now - timedelta(hours=2),
        until=now - timedelta(hours=1),
        ended_at=now - timedelta(hours=1),
        ended_by="check_volatility",
        **facts,
    )


def a_job_fails() -> None:
    """The collection has failed three times in a row."""
    for _ in range(3):
        JobState.objects.record(
            RunResult("collect_market_data", None, 8001.5, error="Unreachable: no answer within 8 s")
        )


def a_day_of_jobs() -> None:
    """Jobs in every state: one fails, one is paused, one in quarantine, one runs, one is requested."""
    at_work()
    for pid in (4343, 4444):
        SchedulerProcess.objects.create(host="trader-2", pid=pid)
    SchedulerProcess.objects.update(seen_at=timezone.now() + AHEAD)
    for job in SCHEDULE:
        runs_of(job.name)
    a_job_fails()
    control.pause("generate_trading_signal", "exchange maintenance at 3", "operator")
    reason = "quarantine: ended its process 3 times within 15 min, by its hard limit of 32 s"
    JobState.objects.filter(job_name="check_volatility").update(paused=True, pause_reason=reason)
    JobEvent.objects.create(job_name="check_volatility", kind="quarantined", text=reason)
    now = timezone.now()
    JobState.objects.filter(job_name="sync_pending_orders").update(running_since=now, last_tick=now)
    control.request_run("cleanup_old_data", "operator")


def runs_of(name: str) -> None:
    """Forty outcomes of every kind, also in the hourly counts."""
    now = timezone.now()
    kinds = ["ok"] * 25 + ["failed", "skipped", "aborted"] + ["ok"] * 12
    for number, kind in enumerate(kinds):
        rollup.note(name, kind, 40.0 + 3 * number, 1.0 + number, now)
    JobState.objects.filter(job_name=name).update(
        recent=[{"tick": now.isoformat(), "outcome": kind} for kind in kinds], last_lateness_ms=4.2
    )
    rollup.flush()
    JobState.objects.record(RunResult(name, None, 123.4, {"rows": 1}))
