"""Finds positions that have lost too much and sells them, even while trading is halted.

Rules: docs/positions.md P13, P14.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog

from sysconfig.snapshot import ConfigSnapshot
from tradingsite import trading_config
from tradingsite.amounts import exact
from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock
from tradingsite.marketdata.windows import SEEN_LIMIT_S, Window, read_windows
from tradingsite.orders.execution.gate_inputs import unknown_sells
from tradingsite.orders.execution.stop_loss_sale import Sale, StoppedOut, may_be_sold
from tradingsite.orders.portfolio.positions import Holding, positions

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange

logger = structlog.get_logger(__name__)


def run(
    make_client: Callable[[], UpbitExchange],
    config: ConfigSnapshot,
    at: datetime,
    *,
    may_post: Callable[[], bool] = lambda: True,
    clock: Clock = SYSTEM_CLOCK,
) -> Mapping[str, int]:
    """Sell every position whose current price is `stop_loss_pct` or more below its average price.

    Sends no request if there is nothing to sell. Returns counts: positions `held`; `not_judged` because their
    price is too old; `fallen` below their stop; and the `stop_losses` that were sent.

    Args:
        make_client: called if there is something to sell.
        config: only `stop_loss_pct` is read; no other setting prevents a stop-loss.
        at: the time of the run.
        may_post: called right before each order is sent; if it returns False the order is not sent.
        clock: times the pauses between requests.

    Raises:
        UnreadableConfig: `stop_loss_pct` cannot be read; no default is used.
        ClientError: the exchange did not answer for one market; the others were still processed.
    """
    stop_pct = config[trading_config.STOP_LOSS_PCT]
    holdings = [each for each in positions(at) if each.volume]
    windows = read_windows([each.market for each in holdings], at)
    pairs = zip(holdings, windows, strict=True)
    fresh = [(each, window) for each, window in pairs if _has_fresh_price(window)]
    stopped_out = [stop for each, window in fresh if (stop := _stopped_out(each, window, stop_pct))]
    to_sell = [each for each in stopped_out if may_be_sold(each.holding, each.price)]
    sale = Sale(make_client, at, may_post, clock)
    return {
        "held": len(holdings),
        "not_judged": len(holdings) - len(fresh),
        "fallen": len(stopped_out),
        "stop_losses": sale.sell(to_sell) if to_sell else 0,
    }


def is_fresh(window: Window) -> bool:
    """Return whether the market's last price is recent enough for a stop-loss."""
    age_s = window.seen_age_s
    return window.price is not None and age_s is not None and age_s <= SEEN_LIMIT_S


def _has_fresh_price(window: Window) -> bool:
    if is_fresh(window):
        return True
    age_s = window.seen_age_s
    logger.warning("stop_loss.not_judged", market=window.market, seen_age_s=age_s, limit_s=SEEN_LIMIT_S)
    return False


def _stopped_out(holding: Holding, window: Window, stop_pct: Decimal) -> StoppedOut | None:
    price = window.price
    if price is None or price * holding.volume * 100 > holding.cost * (100 - stop_pct):
        return None
    average = holding.cost / holding.volume
    reason = f"price {exact(price)}, average {average:.8f}, stop {exact(stop_pct)} % below"
    return StoppedOut(holding, price, reason, unknown_sells(holding.market))
