"""What the site is like when somebody looks at it: rows as jobs and operators would have left them."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone
from django_apscheduler.models import DjangoJob

from tests.marketdata.feed import watched
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.outcome import Outcome
from tradingsite.jobs.schedule import SCHEDULE
from tradingsite.orders.models import Order
from tradingsite.risk.models import Halt
from tradingsite.strategy.models import TradingSignal


def at_work() -> None:
    """A scheduler leads, every job ran and is due again, and one market has been watched for five minutes."""
    now = timezone.now()
    SchedulerHeartbeat.objects.take_over("trader-1", 4242)
    JobState.objects.register(job.name for job in SCHEDULE)
    for job, duration_ms in zip(SCHEDULE, (41.2, 12.08, 820.11), strict=True):
        JobState.objects.record(Outcome(job.name, None, duration_ms, {"rows": 1}))
        DjangoJob.objects.create(id=job.name, next_run_time=now + job.every / 2, job_state=b"")
    watched("KRW-BTC", "142950000", "143210000", at=now)


def trading() -> None:
    """A decision was made, and what it bought is filled."""
    signal = TradingSignal.objects.create(
        market="KRW-BTC",
        tick=timezone.now(),
        as_of=timezone.now(),
        price=Decimal(143_210_000),
        decision="BUY",
        confidence=Decimal("0.7"),
    )
    Order.objects.create(
        signal=signal,
        identifier="buy-1",
        uuid="1",
        market="KRW-BTC",
        side="bid",
        ord_type="price",
        funds=100_000,
        state="DONE",
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
            Outcome("collect_market_data", None, 8001.5, error="Unreachable: no answer within 8 s")
        )
