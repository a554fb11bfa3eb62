"""Find what has lost too much, by the price alone, whatever is halted (P13, P14)."""

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
    """Sell every position whose fresh price is `stop_loss_pct` or more below its average price.

    Sends no request while there is nothing to sell. Counts: positions `held`; `not_judged` ones,
    whose price is too old; `fallen` ones; and the `stop_losses` that were sent.

    Args:
        make_client: called when there is something to sell.
        config: of the limit; nothing else in it stops a stop-loss.
        at: the moment of the run.
        may_post: called right before each order is sent; on False it is not.
        clock: for the pauses.

    Raises:
        UnreadableConfig: there is no fallback for the limit.
        ClientError: the exchange did not answer for one market; the others were tried all the same.
    """
    stop_pct = config[trading_config.STOP_LOSS_PCT]
    held = [each for each in positions(at) if each.volume]
    windows = read_windows([each.market for each in held], at)
    fresh = [(each, window) for each, window in zip(held, windows, strict=True) if _is_judged(window)]
    stopped_out = [found for each, window in fresh if (found := _stopped_out(each, window, stop_pct))]
    to_sell = [each for each in stopped_out if may_be_sold(each.holding, each.price)]
    sale = Sale(make_client, at, may_post, clock)
    return {
        "held": len(held),
        "not_judged": len(held) - len(fresh),
        "fallen": len(stopped_out),
        "stop_losses": sale.sell(to_sell) if to_sell else 0,
    }


def is_fresh(window: Window) -> bool:
    """Return whether the market's last price may decide a stop-loss."""
    age_s = window.seen_age_s
    return window.price is not None and age_s is not None and age_s <= SEEN_LIMIT_S


def _is_judged(window: Window) -> bool:
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
    why = f"price {exact(price)}, average {average:.8f}, stop {exact(stop_pct)} % below"
    return StoppedOut(holding, price, why, unknown_sells(holding.market))
