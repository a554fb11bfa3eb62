"""A trader to be killed: it makes up signals and acts on them with the project's own code, without a pause.

`python -m tests.chaos.trader` forks a new one whenever the last one died, and prints its process id.
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
"""Its clock runs this much faster than the wall's, from `CHAOS_EPOCH` on."""
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


STORM = Clock(sleep=lambda seconds: time.sleep(seconds / SPEED))
HASTY = Clock(sleep=lambda seconds: time.sleep(seconds / 5))
"""So that some orders are still open when the trader goes on."""


def now() -> datetime:
    """Return the storm's time."""
    from django.utils import timezone

    epoch = datetime.fromisoformat(os.environ["CHAOS_EPOCH"])
    return epoch + (timezone.now() - epoch) * SPEED


def keep_one_alive() -> None:
    """Fork traders until SIGTERM."""
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


def trade(choose: random.Random) -> None:
    """Trade until killed. Errors of the exchange and of the database are expected."""
    from django.db import Error, connections

    from tests.chaos.variants import exchange
    from tradingsite.clients.errors import ClientError

    client = exchange(os.environ.get("CHAOS_VARIANT", ""))
    while True:
        try:
            one_round(client, choose)
        except (ClientError, Error):
            connections.close_all()


def one_round(client, choose: random.Random) -> None:
    """Reconcile, look at the prices, act on a few signals, and sell what has lost."""
    from sysconfig.models import SystemConfig
    from tradingsite.clients.errors import ClientError
    from tradingsite.clients.factory import upbit_client
    from tradingsite.marketdata.collection import collect
    from tradingsite.orders.execution import signal_order, stop_loss
    from tradingsite.orders.reconciliation.round import reconcile

    config = SystemConfig.objects.snapshot()
    try:
        reconcile(client, now(), clock=STORM)
        synced = True
    except ClientError:
        synced = False
    for market in choose.sample(MARKETS, 4):
        collect(upbit_client(retries=0), MARKETS, now())
        signal_row = made_up(market, choose)
        signal_order.order_from_signal(
            signal_row,
            config,
            client,
            synced=synced,
            volatility_checked_at=now(),
            at=now(),
            clock=HASTY,
            now=now,
        )
    stop_loss.run(lambda: client, config, now())


def made_up(market: str, choose: random.Random):
    """Write a signal as a model would have made it just now."""
    from tradingsite.marketdata.windows import read_windows
    from tradingsite.orders.portfolio.positions import position
    from tradingsite.strategy.models import TradingSignal

    at = now()
    (window,) = read_windows([market], at)
    sell = position(market).volume > 0 and choose.random() < 0.6
    return TradingSignal.objects.create(
        market=market,
        tick=at,
        as_of=at - timedelta(seconds=1),
        price=window.price,
        decision="SELL" if sell else "BUY",
        confidence=Decimal("0.9"),
        reasoning="made up",
        model_asked="none",
    )


if __name__ == "__main__":
    import django

    django.setup()
    # Before the first fork, so that a new trader is there within milliseconds.
    import tradingsite.orders.execution.signal_order
    import tradingsite.orders.execution.stop_loss
    import tradingsite.orders.reconciliation.round  # noqa: F401 - loaded for the children

    keep_one_alive()
