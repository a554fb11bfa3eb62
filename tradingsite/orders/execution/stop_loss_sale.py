"""Sells positions that reached their stop: only available coins, and each only once.

If an earlier sell is UNKNOWN, two account readings must prove that it sold nothing.

Rules: docs/positions.md P15, P16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import structlog

from tradingsite.clients.deadline import Clock, Deadline
from tradingsite.clients.errors import ClientError
from tradingsite.orders.execution import intents, submission
from tradingsite.orders.execution.gate_inputs import coins_untouched, unknown_sells
from tradingsite.orders.models import ONE_AT_A_TIME, Order, Side
from tradingsite.orders.portfolio import account
from tradingsite.orders.portfolio.positions import Holding, is_dust, position
from tradingsite.risk.gate import COIN_STEP
from tradingsite.risk.verdict import Check, Clamp, Verdict

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import Balance

logger = structlog.get_logger(__name__)

READINGS_APART_S = 5.0
"""Between the two account readings that must show the coins of an UNKNOWN sell untouched."""


@dataclass(frozen=True, slots=True)
class StoppedOut:
    """A position at or below its stop, the price that shows it, and its UNKNOWN sells."""

    holding: Holding
    price: Decimal
    why: str
    unknown: list[Order]

    @property
    def market(self) -> str:
        return self.holding.market


def may_be_sold(holding: Holding, price: Decimal) -> bool:
    """Return whether a sell may be sent: not for dust, nor while another order of the market is active."""
    if is_dust(holding.volume, price):
        return False
    active = Order.objects.filter(market=holding.market, state__in=ONE_AT_A_TIME).first()
    if active is not None:
        logger.warning("stop_loss.waits", market=holding.market, order=active.identifier)
    return active is None


@dataclass(frozen=True, slots=True)
class Sale:
    """One run of selling.

    Attributes:
        make_client: creates the client for our account.
        at: the time of the decision.
        may_post: called right before each order is sent; if it returns False the order is not sent.
        clock: for the pauses.
    """

    make_client: Callable[[], UpbitExchange]
    at: datetime
    may_post: Callable[[], bool]
    clock: Clock

    def sell(self, stopped_out: list[StoppedOut]) -> int:
        """Send a sell for each position that may be sold; return how many were sent.

        Raises:
            ClientError: the exchange did not answer for one; the others were still handled.
            OrderNotStored: the database refused one order; as above.
        """
        client, started = self.make_client(), Deadline(0, self.clock)
        readings = [client.accounts()]
        if any(each.unknown for each in stopped_out):
            self.clock.sleep(READINGS_APART_S)
            readings.append(client.accounts())
        count, failures = 0, list[Exception]()
        for each in stopped_out:
            if not coins_untouched(each.unknown, readings):
                logger.warning("stop_loss.waits_for_evidence", market=each.market, unclear=len(each.unknown))
                continue
            try:
                count += self._sell_one(client, each, readings[-1], started)
            except (ClientError, intents.OrderNotStored) as failure:
                # The other markets may still be sold.
                failures.append(failure)
        if failures:
            raise failures[0]
        return count

    def _sell_one(
        self, client: UpbitExchange, stopped: StoppedOut, balances: list[Balance], started: Deadline
    ) -> bool:
        decided = Deadline(submission.SEND_WITHIN_S, self.clock)
        terms = client.chance(stopped.market).market
        free, _ = account.free_and_locked(balances, account.coin(stopped.market))
        volume = min(free, stopped.holding.volume).quantize(COIN_STEP, ROUND_FLOOR)
        if terms.state != "active" or volume * stopped.price < terms.ask.min_total:
            logger.warning(
                "stop_loss.cannot_sell", market=stopped.market, state=terms.state, free=f"{free:f}"
            )
            return False
        with intents.market_lock(stopped.market):
            if not _is_unchanged(stopped):
                return False
            at = self.at - timedelta(seconds=started.left_s())  # the account readings took time
            order = intents.record(_intent(stopped, volume, balances), at)
        logger.warning("stop_loss.sells", market=stopped.market, volume=f"{volume:f}", why=stopped.why)
        submission.submit(client, order, decided=decided, may_post=self.may_post, clock=self.clock)
        return True


def _intent(stopped: StoppedOut, volume: Decimal, balances: list[Balance]) -> intents.Intent:
    clamp = Clamp("free_coins", stopped.holding.volume, volume)
    verdict = Verdict(
        checks=(Check("stop_loss", True, stopped.why),),
        clamps=(clamp,) if volume < stopped.holding.volume else (),
        volume=volume,
    )
    return intents.Intent(
        market=stopped.market,
        side=Side.ASK,
        volume=volume,
        verdict=verdict,
        price=stopped.price,
        krw_before=account.total(balances, account.KRW),
        coin_before=account.total(balances, account.coin(stopped.market)),
    )


def _is_unchanged(stopped: StoppedOut) -> bool:
    # If another process has sold meanwhile, our balances are outdated, and the next run decides.
    unknown = [order.pk for order in unknown_sells(stopped.market)]
    return (
        position(stopped.market) == stopped.holding.position
        and unknown == [order.pk for order in stopped.unknown]
        and may_be_sold(stopped.holding, stopped.price)
    )
