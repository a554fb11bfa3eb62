"""The trading cycle: reconcile orders, then for each market make a signal and place its order.

It also runs the stop-losses. It does not know the scheduler: the caller passes in whether orders may be sent,
and when the volatility was last checked.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from sysconfig.snapshot import ConfigSnapshot
from tradingsite.clients.errors import ClientError
from tradingsite.clients.factory import exchange_client, model_client, upbit_client
from tradingsite.marketdata.collection import POLL_INTERVAL, collect
from tradingsite.marketdata.windows import Window, read_windows
from tradingsite.orders.execution import signal_order, stop_loss
from tradingsite.orders.models import OrderState
from tradingsite.orders.portfolio import account, positions
from tradingsite.orders.reconciliation.round import reconcile
from tradingsite.strategy import evaluation
from tradingsite.strategy.models import TradingSignal
from tradingsite.trading_config import MARKETS, TRADING_MARKETS

logger = structlog.get_logger(__name__)

COUNT_NAMES = ("signals", "buy", "sell", "hold", "ordered", "denied")


@dataclass(frozen=True, slots=True)
class OrderPreconditions:
    """What only the caller knows, asked right before an order.

    Attributes:
        may_post: whether an order may be sent now; called before each.
        volatility_checked_at: when the volatility was last checked successfully; without it nothing is
            bought.
    """

    may_post: Callable[[], bool]
    volatility_checked_at: Callable[[], datetime | None]


def generate(config: ConfigSnapshot, tick: datetime, preconditions: OrderPreconditions) -> Mapping[str, int]:
    """Make one signal for each traded market, and place an order for each BUY or SELL.

    It begins with a reconciliation, so that nothing is bought while another order is unresolved. If that
    fails, signals are still made and sells still sent, but nothing is bought.

    Returns counts: `signals` made; of these `buy`, `sell` and `hold`; `ordered` and `denied` orders.
    """
    synced = _reconciled()
    counts = Counter(dict.fromkeys(COUNT_NAMES, 0))
    failures = list[Exception]()
    for market in config[TRADING_MARKETS]:
        try:
            _trade_market(market, tick, config, counts, preconditions, synced=synced)
        except Exception as failure:  # noqa: BLE001 - a failure in one market must not prevent a sell in another
            logger.warning("generate.market_failed", market=market, error=type(failure).__name__)
            failures.append(failure)
    if counts["ordered"]:
        read_account()
    if failures:
        raise failures[0]
    return counts


def _trade_market(
    market: str,
    tick: datetime,
    config: ConfigSnapshot,
    counts: Counter[str],
    preconditions: OrderPreconditions,
    *,
    synced: bool,
) -> None:
    signal = _make_signal(market, tick, config)
    counts.update(("signals", signal.decision.lower()))
    if signal.decision != TradingSignal.Decision.HOLD:
        state = _place_order(signal, config, preconditions, synced=synced)
        counts["denied" if state == OrderState.DENIED else "ordered"] += 1


def watched(config: ConfigSnapshot) -> tuple[str, ...]:
    """Return the markets whose prices are needed: configured ones, and those with a position to protect."""
    holdings = (holding.market for holding in positions.positions() if holding.volume)
    return tuple(dict.fromkeys((*config[MARKETS], *holdings)))


def stop_losses(config: ConfigSnapshot, may_post: Callable[[], bool]) -> Mapping[str, int]:
    """Sell positions that have lost too much, and read the account again afterwards."""
    counts = stop_loss.run(exchange_client, config, timezone.now(), may_post=may_post)
    if counts["stop_losses"]:
        read_account()
    return counts


def read_account() -> None:
    """Store a new account reading after orders, so that pages do not show the old balances."""
    now = timezone.now()
    try:
        account.read(exchange_client(), account.last_prices(now), now)
    except (ClientError, account.PriceMissing) as error:
        logger.warning("account.not_read", error=str(error))  # the next reconciliation reads it


def _reconciled() -> bool:
    try:
        reconcile(exchange_client(), timezone.now())
    except (ClientError, DatabaseError) as error:
        logger.warning("generate.not_synced", error=type(error).__name__)
        return False
    return True


def _make_signal(market: str, tick: datetime, config: ConfigSnapshot) -> TradingSignal:
    window = _window(market, config)
    return evaluation.decide(
        market,
        tick,
        window.at,
        config,
        upbit_client(),
        model_client(),
        position=positions.position(market),
        price=window.price,
        price_seen_at=window.seen_at,
    )


def _window(market: str, config: ConfigSnapshot) -> Window:
    """Return the market's price window; collect prices once more if no recent poll has seen the market."""
    (window,) = read_windows([market], timezone.now())
    if window.seen_at is not None and window.at - window.seen_at <= POLL_INTERVAL:
        return window
    try:
        collect(upbit_client(), watched(config), timezone.now())
    except ClientError as error:
        logger.warning("generate.no_fresh_price", market=market, error=str(error))
    (window,) = read_windows([market], timezone.now())
    return window


def _place_order(
    signal: TradingSignal, config: ConfigSnapshot, preconditions: OrderPreconditions, *, synced: bool
) -> str:
    order = signal_order.order_from_signal(
        signal,
        config,
        exchange_client(),
        synced=synced,
        volatility_checked_at=preconditions.volatility_checked_at(),
        at=timezone.now(),
        may_post=preconditions.may_post,
    )
    return order.state
