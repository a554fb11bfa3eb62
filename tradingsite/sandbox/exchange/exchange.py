"""The sandbox's exchange: one account with its balances and orders (docs/sandbox-exchange.md E15, E17)."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path
from threading import RLock
from uuid import uuid4

from tradingsite.sandbox.exchange.ledger import EXACT, Ledger
from tradingsite.sandbox.exchange.matching import Offer, OrderStep, make_trade, match_order
from tradingsite.sandbox.exchange.orders import FillPlan, Order
from tradingsite.sandbox.exchange.refusals import Denied
from tradingsite.sandbox.exchange.state import ExchangeState, Post, Purse
from tradingsite.sandbox.exchange.terms import OrderRequest, check_limits
from tradingsite.sandbox.exchange.venue import Venue


class Exchange:
    """One account. Thread-safe; after a restart with the same state file it is in the same state.

    Fills are not timed by a thread but computed on each request from the clock: an order is matched against
    the order book `fill_after_ms` after it was accepted (None: never), whenever the next request comes.
    `offline` lists markets that accept no orders. `next_fills` overrides how the next orders are filled, one
    entry per order.

    Raises:
        StateFileError: the state file is damaged, or another sandbox uses it.
    """

    def __init__(
        self,
        venue: Venue,
        now_ms: Callable[[], int],
        *,
        fill_after_ms: int | None = 300,
        state_file: Path | None = None,
    ) -> None:
        self.offline: set[str] = set()
        self.next_fills: deque[FillPlan] = deque()
        self._venue = venue
        self._now_ms = now_ms
        self._fill_after_ms = fill_after_ms
        self._state = ExchangeState(state_file)
        self._ledger = Ledger(self._state)
        # By uuid: up to when no trade has reached the price of the resting order.
        self._watched_ms: dict[str, int] = {}
        self._lock = RLock()
        self._is_open = True

    @contextmanager
    def at(self, at_ms: int) -> Iterator[ExchangeState]:
        """Give exclusive access to the state as of `at_ms`, and save changes at the end.

        Arithmetic is exact.
        """
        with self._lock, localcontext(EXACT):
            if not self._is_open:
                raise ConnectionAbortedError("the exchange is closed")
            self._apply_due_steps(at_ms)
            yield self._state
            self._state.save()

    def balances(self) -> Mapping[str, Purse]:
        with self.at(self._now_ms()) as state:
            return dict(state.purses)

    def orders(self) -> list[Order]:
        """Return every order ever accepted, with its current state, oldest first."""
        with self.at(self._now_ms()) as state:
            return list(state.orders.values())

    @property
    def posts(self) -> list[Post]:
        """Every order POST ever received, oldest first."""
        with self._lock:
            return list(self._state.posts)

    def record_post(self, post: Post) -> None:
        """Record an order POST that was not processed, because of a rate limit or a fault."""
        with self.at(post.at_ms) as state:
            state.add_post(post)

    def close(self) -> None:
        """Release the state file; later requests get their connection closed."""
        with self._lock:
            self._is_open = False
            self._state.close()

    def draft(self, requested: OrderRequest, at_ms: int) -> Order:
        """Return the order that would be accepted now, or raise `Denied`. Call it inside `at`."""
        if requested.market.code in self.offline:
            raise Denied("market_offline")
        check_limits(requested, requested.price or self._best_bid(requested.market.code, at_ms))
        order = _new_order(requested, at_ms)
        self._ledger.check_funds(order)
        return order

    def accept(self, requested: OrderRequest, at_ms: int) -> Order:
        """Lock the funds, store the order, and return it. Call it inside `at`."""
        draft = self.draft(requested, at_ms)
        plan: FillPlan = self.next_fills.popleft() if self.next_fills else "normal"
        never = self._fill_after_ms is None or plan == "never"
        due_ms = None if never else at_ms + (self._fill_after_ms or 0)
        order = replace(draft, plan=plan, due_ms=due_ms)
        self._ledger.lock(order)
        self._state.put_order(order)
        return order

    def cancel(self, order: Order, at_ms: int) -> Order:
        """Schedule a cancellation. It takes effect after the same delay as a fill, which may come first."""
        if order.state != "wait":
            raise Denied("order_not_found")
        if order.cancel_ms is None:
            self._state.put_order(replace(order, cancel_ms=at_ms + (self._fill_after_ms or 0)))
        return order

    def _best_bid(self, market: str, at_ms: int) -> Decimal:
        best = next(iter(self._venue.offers(market, "ask", at_ms)), None)
        return best.price if best else Decimal()

    def _apply_due_steps(self, at_ms: int) -> None:
        """Apply all fills and cancellations due by `at_ms`, in the order of their times."""
        waiting = [self._state.orders[uuid] for uuid in self._state.waiting]
        while steps := [step for order in waiting if (step := self._next_step(order, at_ms))]:
            for step in sorted(steps, key=lambda step: step.at_ms):
                self._apply(step)
            waiting = [self._state.orders[step.uuid] for step in steps if step.state == "wait"]

    def _next_step(self, order: Order, now_ms: int) -> OrderStep | None:
        end_ms = now_ms if order.cancel_ms is None else min(now_ms, order.cancel_ms)
        if order.due_ms is not None and order.due_ms <= end_ms:
            if not order.resting:
                offers = self._venue.offers(order.market, order.side, order.due_ms)
                return match_order(order, offers, order.due_ms)
            reached_ms = self._venue.reached_ms(order, self._watched_ms.get(order.uuid, order.due_ms), end_ms)
            self._watched_ms[order.uuid] = end_ms
            if reached_ms is not None:
                rest = Offer(order.price or Decimal(), order.remaining_volume or Decimal())
                trade = make_trade(order, len(order.trades), rest, reached_ms)
                return OrderStep(reached_ms, order.uuid, (trade,), "done")
        if order.cancel_ms is not None and order.cancel_ms <= now_ms:
            return OrderStep(order.cancel_ms, order.uuid, (), "cancel")
        return None

    def _apply(self, step: OrderStep) -> None:
        before = self._state.orders[step.uuid]
        for trade in step.trades:
            self._ledger.settle(before, trade)
        after = replace(before, trades=(*before.trades, *step.trades), state=step.state, resting=True)
        if step.state != "wait":
            self._ledger.release(after)
        self._state.put_order(after)


def _new_order(requested: OrderRequest, at_ms: int) -> Order:
    order = Order(
        uuid=str(uuid4()),
        market=requested.market.code,
        side=requested.side,
        ord_type=requested.ord_type,
        created_ms=at_ms,
        fee_rate=requested.terms.fee_rate,
        reserved_fee=Decimal(),
        smp_type=requested.smp_type,
        price=requested.price,
        volume=requested.volume,
        identifier=requested.identifier,
        time_in_force=requested.time_in_force,
    )
    return replace(order, reserved_fee=order.total * order.fee_rate) if order.side == "bid" else order
