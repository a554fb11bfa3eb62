"""A trading process for the chaos test to kill: it passes random signals to the project's own code in a loop.

`python -m tests.chaos.trader` forks such a process, prints its id, and forks the next one when it dies.
"""

import os
import random
import signal
import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal

from tradingsite.clients.deadline import Clock

SPEED = 20
"""The simulated clock starts at `CHAOS_EPOCH` and runs this many times faster than the wall clock."""
COINS = (
    "BTC",
    "ETH",
    "XRP",
    "SOL",
    "DOGE",
    "ADA",
    "AVAX",
    "LINK",
    "DOT",
    "TRX",
    "BCH",
    "ETC",
    "ATOM",
    "NEAR",
)
MARKETS = tuple(f"KRW-{coin}" for coin in COINS)

SIMULATED_CLOCK = Clock(sleep=lambda seconds: time.sleep(seconds / SPEED))
SHORT_WAITS = Clock(sleep=lambda seconds: time.sleep(seconds / 5))
"""Waits for a fill are so short that some orders are still open when the trader continues."""


def now() -> datetime:
    """Return the simulated time."""
    from django.utils import timezone

    epoch = datetime.fromisoformat(os.environ["CHAOS_EPOCH"])
    return epoch + (timezone.now() - epoch) * SPEED


def keep_one_running() -> None:
    """Fork one trader after another until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    number = 0
    while True:
        number += 1
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            trade(random.Random(f"{os.environ['CHAOS_SEED']}/{number}"))  # noqa: S311 - not for secrets
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)


def trade(rng: random.Random) -> None:
    """Trade until the process is killed. Errors of the exchange and the database are expected."""
    from django.db import Error, connections

    from tests.chaos.variants import exchange
    from tradingsite.clients.errors import ClientError

    client = exchange(os.environ.get("CHAOS_VARIANT", ""))
    while True:
        try:
            one_round(client, rng)
        except (ClientError, Error):
            connections.close_all()


def one_round(client, rng: random.Random) -> None:
    """Reconcile, collect prices, place orders for a few signals, and sell positions below their stop loss."""
    from sysconfig.models import SystemConfig
    from tradingsite.clients.errors import ClientError
    from tradingsite.clients.factory import upbit_client
    from tradingsite.marketdata.collection import collect
    from tradingsite.orders.execution import signal_order, stop_loss
    from tradingsite.orders.reconciliation.round import reconcile

    config = SystemConfig.objects.snapshot()
    try:
        reconcile(client, now(), clock=SIMULATED_CLOCK)
        synced = True
    except ClientError:
        synced = False
    for market in rng.sample(MARKETS, 4):
        collect(upbit_client(retries=0), MARKETS, now())
        trading_signal = random_signal(market, rng)
        signal_order.order_from_signal(
            trading_signal,
            config,
            client,
            synced=synced,
            volatility_checked_at=now(),
            at=now(),
            clock=SHORT_WAITS,
            now=now,
        )
    stop_loss.run(lambda: client, config, now())


def random_signal(market: str, rng: random.Random):
    """Store a random BUY or SELL signal, dated now, with the fields that a model's signal has."""
    from tradingsite.marketdata.windows import read_windows
    from tradingsite.orders.portfolio.positions import position
    from tradingsite.strategy.models import TradingSignal

    at = now()
    (window,) = read_windows([market], at)
    sell = position(market).volume > 0 and rng.random() < 0.6
    return TradingSignal.objects.create(
        market=market,
        tick=at,
        as_of=at - timedelta(seconds=1),
        price=window.price,
        decision="SELL" if sell else "BUY",
        confidence=Decimal("0.9"),
        reasoning="random",
        model_asked="none",
    )


if __name__ == "__main__":
    import django

    django.setup()
    # Imported before the first fork, so that a new trader starts within milliseconds.
    import tradingsite.orders.execution.signal_order
    import tradingsite.orders.execution.stop_loss
    import tradingsite.orders.reconciliation.round  # noqa: F401 - for the forked children

    keep_one_running()
