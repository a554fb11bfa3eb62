"""What each job does: read the configuration once, call one function, return what is worth counting.

Every body takes one snapshot of the committed configuration at its start and passes it down: a run sees
all of a change or nothing of it, and the next run sees all of it.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from sysconfig.models import SystemConfig
from tradingsite.clients.build import upbit_client
from tradingsite.jobs import history
from tradingsite.jobs.stop import winding_down
from tradingsite.marketdata import collection, retention
from tradingsite.risk import volatility
from tradingsite.trading_config import JOB_HISTORY_RETENTION_DAYS, MARKET_DATA_RETENTION_DAYS, MARKETS

Counts = Mapping[str, int]


def collect_market_data() -> Counts:
    """Store the latest price of every configured market."""
    config = SystemConfig.objects.snapshot()
    markets = config[MARKETS]
    return collection.collect(upbit_client(), markets, timezone.now())


def check_volatility() -> Counts:
    """Begin and end halts of buys, by what every configured market did in the last five minutes."""
    config = SystemConfig.objects.snapshot()
    return volatility.check(config, timezone.now())


def cleanup_old_data() -> Counts:
    """Delete what is older than its retention, in batches. Counts a table; never touches orders."""
    config = SystemConfig.objects.snapshot()
    now = timezone.now()
    market_data = now - timedelta(days=config[MARKET_DATA_RETENTION_DAYS])
    executions = history.older_than(now - timedelta(days=config[JOB_HISTORY_RETENTION_DAYS]))
    return {
        **retention.delete_before(market_data, stop=winding_down),
        "job_execution": retention.delete_in_batches(executions, stop=winding_down),
    }
