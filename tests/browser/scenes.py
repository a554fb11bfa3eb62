"""What the site is like when somebody looks at it: rows as jobs and operators would have left them."""

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


def at_work() -> None:
    """A scheduler leads, every job ran and is due again, and one market has been watched for five minutes."""
    now = timezone.now()
    SchedulerHeartbeat.objects.take_over("trader-1", 4242)
    JobState.objects.register(job.name for job in SCHEDULE)
    for number, job in enumerate(SCHEDULE, 1):
        JobState.objects.record(RunResult(job.name, None, 41.2 * number, {"rows": 1}))
        DjangoJob.objects.create(id=job.name, next_run_time=now + job.every / 2, job_state=b"")
    watched("KRW-BTC", "142950000", "143210000", at=now)


def trading() -> None:
    """A day of prices and decisions: bought twice, sold once in part, refused once, one order under way."""
    now = timezone.now()
    a_day_of_prices(now)
    for hours, price in ((20, "141800000"), (9, "142300000")):
        order = bought(BTC, (price, "0.002"), at=now - timedelta(hours=hours), fee=Decimal("141.8"))
        as_if_made_then(order.signal, Decimal(price))
        execute(order.signal)
    sold(BTC, ("144100000", "0.001"), at=now - timedelta(hours=4), fee=Decimal("72.05"))
    dust = bought("KRW-XRP", ("3000", "1.5"), at=now - timedelta(hours=30), fee=2)
    as_if_made_then(dust.signal, Decimal(3000))
    record_price("KRW-XRP", "2950", now)
    for minutes in range(120, 1440, 120):
        decided(now - timedelta(minutes=minutes), "HOLD", confidence=Decimal("0.55"))
    decided(now - timedelta(minutes=45), "HOLD", price=None, reason_code="timeout")
    refused(now - timedelta(minutes=15))
    under_way = bought(BTC, at=now, state="OPEN", funds=100_000)
    as_if_made_then(under_way.signal, Decimal(143_210_000))
    read_account(now)


def a_day_of_prices(now: datetime) -> None:
    """KRW-BTC moved gently for a day; for half an hour nobody was watching."""
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
    """Write a decision that was made at `at`."""
    known = {"price": Decimal(143_210_000), "as_of": at, "tick": at, **facts}
    return TradingSignal.objects.create(market=BTC, decision=decision, created_at=at, **known)


def as_if_made_then(signal: TradingSignal | None, price: Decimal) -> None:
    """Let a signal be as old as its tick, with the price of then."""
    assert signal is not None
    TradingSignal.objects.filter(pk=signal.pk).update(
        created_at=signal.tick, price=price, confidence=Decimal("0.82")
    )


def refused(at: datetime) -> None:
    """The model was all for it, the gate was not."""
    signal = decided(at, "BUY", confidence=Decimal("0.91"))
    facts = {"side": "bid", "ord_type": "price", "reason": "exposure_full", "cause": "signal"}
    order = Order.objects.create(signal=signal, identifier="refused", market=BTC, **facts)
    order.state = "DENIED"
    order.save()


def unanswered() -> None:
    """The model said buy, and neither an order nor a reason stands."""
    at = timezone.now() - timedelta(minutes=5)
    decided(at, "BUY", confidence=Decimal("0.9"))


def execute(signal: TradingSignal | None) -> None:
    """Tell what the price did afterwards, as far as that is known."""
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
    """The account was read half a minute ago, and the day has its base."""
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
    """One market moved too much, and an operator stopped all of them; another halt is over."""
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
    """Jobs of every kind: one fails, one is paused, one in quarantine, one runs, one is asked for."""
    at_work()
    for pid in (4343, 4444):
        SchedulerProcess.objects.create(host="trader-2", pid=pid)
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
    """Forty outcomes of every kind, counted in the hours as well."""
    now = timezone.now()
    kinds = ["ok"] * 25 + ["failed", "skipped", "aborted"] + ["ok"] * 12
    for number, kind in enumerate(kinds):
        rollup.note(name, kind, 40.0 + 3 * number, 1.0 + number, now)
    JobState.objects.filter(job_name=name).update(
        recent=[{"tick": now.isoformat(), "outcome": kind} for kind in kinds], last_lateness_ms=4.2
    )
    rollup.flush()
    JobState.objects.record(RunResult(name, None, 123.4, {"rows": 1}))
