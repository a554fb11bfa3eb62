"""Sell stopped-out positions: our free coins, once, and after an UNKNOWN sell only on evidence (P15, P16)."""

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
from tradingsite.orders.execution.gate_inputs import all_free, unknown_sells
from tradingsite.orders.models import ONE_AT_A_TIME, Order, Side
from tradingsite.orders.portfolio import account
from tradingsite.orders.portfolio.positions import Holding, is_dust, position
from tradingsite.risk.gate import COIN_STEP
from tradingsite.risk.verdict import Check, Clamp, Verdict

if TYPE_CHECKING:
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.clients.upbit.exchange_schemas import Balance

logger = structlog.get_logger(__name__)

LOOKS_APART_S = 5.0
"""Between the two looks that must show the coins of an UNKNOWN sell free."""


@dataclass(frozen=True, slots=True)
class StoppedOut:
    """A position at or below its stop, the price that says so, and the sells of it that are UNKNOWN."""

    holding: Holding
    price: Decimal
    why: str
    unclear: list[Order]

    @property
    def market(self) -> str:
        return self.holding.market


def may_be_sold(holding: Holding, price: Decimal) -> bool:
    """Return whether a sell may be sent: not of dust, nor while another order of the market is under way."""
    if is_dust(holding.volume, price):
        return False
    under_way = Order.objects.filter(market=holding.market, state__in=ONE_AT_A_TIME).first()
    if under_way is not None:
        logger.warning("stop_loss.waits", market=holding.market, order=under_way.identifier)
    return under_way is None


@dataclass(frozen=True, slots=True)
class Sale:
    """One round of selling.

    Attributes:
        make_client: of the account.
        at: the moment of the decision.
        may_post: called right before each order is sent; on False it is not.
        clock: for the pauses.
    """

    make_client: Callable[[], UpbitExchange]
    at: datetime
    may_post: Callable[[], bool]
    clock: Clock

    def sell(self, stopped_out: list[StoppedOut]) -> int:
        """Send a sell of each that may be sold; return how many were sent.

        Raises:
            ClientError: the exchange did not answer for one; the others were tried all the same.
            NotWritten: the database refused the intent of one; as above.
        """
        client, begun = self.make_client(), Deadline(0, self.clock)
        looks = [client.accounts()]
        if any(each.unclear for each in stopped_out):
            self.clock.sleep(LOOKS_APART_S)
            looks.append(client.accounts())
        count, failures = 0, list[Exception]()
        for each in stopped_out:
            if not all_free(each.unclear, looks):
                logger.warning("stop_loss.waits_for_evidence", market=each.market, unclear=len(each.unclear))
                continue
            try:
                count += self._sell_one(client, each, looks[-1], begun)
            except (ClientError, intents.NotWritten) as failure:  # the next market may be sold all the same
                failures.append(failure)
        if failures:
            raise failures[0]
        return count

    def _sell_one(
        self, client: UpbitExchange, stopped: StoppedOut, balances: list[Balance], begun: Deadline
    ) -> bool:
        decided = Deadline(submission.BEGIN_WITHIN_S, self.clock)
        terms = client.chance(stopped.market).market
        free, _ = account.of_currency(balances, account.coin(stopped.market))
        volume = min(free, stopped.holding.volume).quantize(COIN_STEP, ROUND_FLOOR)
        if terms.state != "active" or volume * stopped.price < terms.ask.min_total:
            logger.warning(
                "stop_loss.cannot_sell", market=stopped.market, state=terms.state, free=f"{free:f}"
            )
            return False
        with intents.writing(stopped.market):
            if not _still_so(stopped):
                return False
            at = self.at - timedelta(seconds=begun.left_s())  # the looks took time
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


def _still_so(stopped: StoppedOut) -> bool:
    # Another process may have sold since we looked; then the balances are old: the next check decides.
    unclear = [order.pk for order in unknown_sells(stopped.market)]
    return (
        position(stopped.market) == stopped.holding.position
        and unclear == [order.pk for order in stopped.unclear]
        and may_be_sold(stopped.holding, stopped.price)
    )
