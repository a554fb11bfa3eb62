"""The function of each job: it reads the settings once, calls one function, and returns what it counted.

Each takes one snapshot of the committed settings and passes it down, so that a change of settings applies to
a whole run or not at all.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import timezone

from healthcheck.history import queries as health_history
from sysconfig.models import SystemConfig
from tradingsite.batches import delete_in_batches
from tradingsite.clients.factory import exchange_client, upbit_client
from tradingsite.jobs import fence
from tradingsite.jobs.models import JobState
from tradingsite.jobs.records import kept_runs, rollup
from tradingsite.jobs.shutdown import winding_down
from tradingsite.marketdata import collection
from tradingsite.marketdata import retention as market_data
from tradingsite.orders import retention as account_readings
from tradingsite.orders.reconciliation.round import reconcile
from tradingsite.risk import volatility
from tradingsite.strategy import outcomes
from tradingsite.strategy import retention as model_texts
from tradingsite.trading import cycle
from tradingsite.trading_config import (
    AI_TEXT_RETENTION_DAYS,
    HEALTH_HISTORY_RETENTION_DAYS,
    JOB_HISTORY_RETENTION_DAYS,
    MARKET_DATA_RETENTION_DAYS,
)

Counts = Mapping[str, int]


def collect_market_data(_tick: datetime) -> Counts:
    """Store the latest price of every configured market."""
    config = SystemConfig.objects.snapshot()
    return collection.collect(upbit_client(), cycle.watched(config), timezone.now())


def generate_trading_signal(tick: datetime) -> Counts:
    """Ask the model about every traded market, and act on its advice within the limits."""
    return cycle.generate(
        SystemConfig.objects.snapshot(),
        tick,
        cycle.OrderPreconditions(
            fence.may_post, lambda: JobState.objects.last_success_at("check_volatility")
        ),
    )


def check_volatility(_tick: datetime) -> Counts:
    """Start and end halts of buys, then sell positions that have lost too much.

    The stop-loss runs even if the halts could not be judged, and the other way round. The job then fails with
    the first error, and buys are blocked until a check succeeds.
    """
    config = SystemConfig.objects.snapshot()
    try:
        halts = volatility.check(config, timezone.now())
    finally:
        sold = cycle.stop_losses(config, fence.may_post)
    return {**halts, **sold}


def sync_pending_orders(_tick: datetime) -> Counts:
    """Reconcile open orders with the exchange, and measure how past signals turned out."""
    try:
        resolved = reconcile(exchange_client(), timezone.now())
    finally:
        measured = outcomes.measure(upbit_client(), timezone.now())
    return {**resolved, **measured}


def cleanup_old_data(_tick: datetime) -> Counts:
    """Delete rows older than their retention, in batches; return the count of each table. Orders stay."""
    config = SystemConfig.objects.snapshot()
    now = timezone.now()
    past_prices = now - timedelta(days=config[MARKET_DATA_RETENTION_DAYS])
    past_texts = now - timedelta(days=config[AI_TEXT_RETENTION_DAYS])
    past_health = now - timedelta(days=config[HEALTH_HISTORY_RETENTION_DAYS])
    executions = kept_runs.older_than(now - timedelta(days=config[JOB_HISTORY_RETENTION_DAYS]))
    return {
        **market_data.delete_before(past_prices, stop=winding_down),
        **account_readings.delete_before(past_prices, stop=winding_down),
        **model_texts.blank_before(past_texts, stop=winding_down),
        "job_hour": rollup.fold_before(now - rollup.KEPT),
        "job_event": delete_in_batches(kept_runs.events_older_than(now - rollup.KEPT), stop=winding_down),
        "job_execution": delete_in_batches(executions, stop=winding_down),
        **{
            table: delete_in_batches(rows, stop=winding_down)
            for table, rows in health_history.older_than(past_health).items()
        },
    }
