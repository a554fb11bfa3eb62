"""Client for our Upbit account and orders. Reads are retried; orders and cancels are sent once.

Rules: docs/upbit-client.md U11-U18.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from pydantic import TypeAdapter

from tradingsite.clients import call_log
from tradingsite.clients.deadline import Deadline
from tradingsite.clients.errors import ClientError, InvalidResponse, RateLimited, Unreachable
from tradingsite.clients.upbit import order_lists
from tradingsite.clients.upbit.exchange_schemas import ApiKey, Balance, Chance, ExchangeOrder, WalletStatus
from tradingsite.clients.upbit.order_request import OrderRequest, order_body
from tradingsite.clients.upbit.outcome import NeverSent, Outcome, Unknown, outcome
from tradingsite.clients.upbit.parameters import market_code
from tradingsite.clients.upbit.refusals import requests_left
from tradingsite.clients.upbit.signed_calls import SignedCalls

_BALANCES = TypeAdapter(list[Balance])
_CHANCE = TypeAdapter(Chance)
_ORDER = TypeAdapter(ExchangeOrder)
_ORDERS = TypeAdapter(list[ExchangeOrder])
_API_KEYS = TypeAdapter(list[ApiKey])
_WALLETS = TypeAdapter(list[WalletStatus])
_OPEN_STATES = ("wait", "watch")
_CLOSED_STATES = ("done", "cancel")


class UpbitExchange(SignedCalls):
    """The account that an API key belongs to. Threads may share a client.

    Reads take `within_s` in place of `wall_clock_s`, are retried after a Retryable error with a new signature
    each time, and raise `ClientError`s. `place`, `test` and `cancel` are sent once, each on a new connection.
    """

    def accounts(self, *, within_s: float | None = None) -> list[Balance]:
        """Return the balance of every currency. Raises KeyRejected if the key lacks the permission."""
        return self._read("/v1/accounts", [], _BALANCES, self._deadline(within_s))

    def chance(self, market: str, *, within_s: float | None = None) -> Chance:
        """Return the fees and limits that apply to orders in `market` now."""
        wanted = [("market", market_code(market))]
        chance = self._read("/v1/orders/chance", wanted, _CHANCE, self._deadline(within_s))
        if chance.market.id != market:
            raise InvalidResponse(f"GET /v1/orders/chance: the answer is not about {market}")
        return chance

    def order(
        self, *, uuid: str | None = None, identifier: str | None = None, within_s: float | None = None
    ) -> ExchangeOrder:
        """Return one order with its trades, by Upbit's uuid or by our identifier.

        Raises:
            NotFound: Upbit itself says that the order does not exist. No other answer proves that.
        """
        name = order_lists.order_name(uuid, identifier)
        order = self._read("/v1/order", [name], _ORDER, self._deadline(within_s))
        return _checked_name(order, name)

    def orders(
        self,
        *,
        uuids: Sequence[str] = (),
        identifiers: Sequence[str] = (),
        within_s: float | None = None,
    ) -> list[ExchangeOrder]:
        """Return those of the named orders that exist, without their trades. Any number may be named."""
        deadline, found = self._deadline(within_s), list[ExchangeOrder]()
        for names in order_lists.named_orders(uuids, identifiers):
            batch = self._read("/v1/orders/uuids", names, _ORDERS, deadline)
            wanted = {name for _, name in names}
            if not all((order.uuid if uuids else order.identifier) in wanted for order in batch):
                raise InvalidResponse("GET /v1/orders/uuids: the answer has orders that were not requested")
            found += batch
        return found

    def open_orders(
        self,
        *,
        market: str | None = None,
        within_s: float | None = None,
    ) -> list[ExchangeOrder]:
        """Return all open orders, oldest first, from as many pages as needed.

        If there are more than 100, an order that closes between two pages can hide another one: read again
        before you conclude that an order is not open.
        """
        deadline, found = self._deadline(within_s), dict[str, ExchangeOrder]()
        wanted = [*_market_pairs(market), *order_lists.state_pairs(_OPEN_STATES)]
        page, full = 0, True
        while full:
            page += 1
            paging = [("page", str(page)), ("limit", str(order_lists.MAX_OPEN)), ("order_by", "asc")]
            batch = self._read("/v1/orders/open", [*wanted, *paging], _ORDERS, deadline)
            found |= {order.uuid: order for order in batch}
            full = len(batch) >= order_lists.MAX_OPEN
        return list(found.values())

    def closed_orders(
        self,
        *,
        start: datetime,
        end: datetime,
        market: str | None = None,
        within_s: float | None = None,
    ) -> list[ExchangeOrder]:
        """Return the closed orders created from `start` to `end`, oldest first, for any length of time.

        Asks for both closed states, because a filled market buy ends as "cancel".
        """
        deadline, found = self._deadline(within_s), dict[str, ExchangeOrder]()
        wanted = [*_market_pairs(market), *order_lists.state_pairs(_CLOSED_STATES)]
        for since, until in order_lists.windows(start, end):
            for order in self._closed_within(since, until, wanted, deadline):
                found[order.uuid] = order
        return list(found.values())

    def api_keys(self, *, within_s: float | None = None) -> list[ApiKey]:
        return self._read("/v1/api_keys", [], _API_KEYS, self._deadline(within_s))

    def wallet_status(self, *, within_s: float | None = None) -> list[WalletStatus]:
        return self._read("/v1/status/wallet", [], _WALLETS, self._deadline(within_s))

    def place(self, request: OrderRequest, *, within_s: float | None = None) -> Outcome:
        """Send one order, once, and return what is known about it afterwards. Raises no ClientError.

        The caller must have stored the order and its identifier before. Whatever the outcome, never place it
        again, with the same identifier or another one.
        """
        deadline = self._deadline(within_s)
        try:
            body = order_body(request)
            http = self._one_shot_http()
            limits = self._limits()
            limits.acquire("order", deadline)
        except ClientError as error:
            return NeverSent(str(error))
        try:
            with call_log.ACCOUNT.recording(self.clock) as context:
                answer = http.post("/v1/orders", body, deadline)
                context.observe(answer, datetime.now(UTC), group="order", left=requests_left(answer))
        except Unreachable as error:
            return NeverSent(str(error)) if error.nothing_sent else Unknown(str(error))
        except InvalidResponse as error:
            return Unknown(str(error))
        with suppress(RateLimited):  # the next call waits; for this one only the order matters
            limits.check_answer("order", answer)
        return outcome(answer, request)

    def test(self, request: OrderRequest, *, within_s: float | None = None) -> ExchangeOrder:
        """Have Upbit validate an order without placing it. The order in the answer does not exist.

        Raises:
            Rejected: Upbit would refuse the order; `name` is market_offline while the market is closed.
        """
        deadline, body = self._deadline(within_s), order_body(request)
        http = self._one_shot_http()
        return self._once(
            "order-test", deadline, lambda: http.post("/v1/orders/test", body, deadline), _ORDER
        )

    def cancel(
        self, *, uuid: str | None = None, identifier: str | None = None, within_s: float | None = None
    ) -> ExchangeOrder:
        """Ask Upbit to cancel an order, once; it may still be filled before that happens.

        Raises:
            NotFound: the order does not exist.
        """
        deadline, name = self._deadline(within_s), order_lists.order_name(uuid, identifier)
        http = self._one_shot_http()
        order = self._once("default", deadline, lambda: http.delete("/v1/order", [name], deadline), _ORDER)
        return _checked_name(order, name)

    def _closed_within(
        self, since: datetime, until: datetime, wanted: order_lists.Pairs, deadline: Deadline
    ) -> Iterable[ExchangeOrder]:
        # The endpoint has no pages: if an answer is full, the next request starts at its last order.
        full = True
        while full:
            paging = [("limit", str(order_lists.MAX_CLOSED)), ("order_by", "asc")]
            span = order_lists.span_pairs(since, until)
            batch = self._read("/v1/orders/closed", [*wanted, *span, *paging], _ORDERS, deadline)
            yield from batch
            full = len(batch) >= order_lists.MAX_CLOSED
            if full and batch[-1].created_at <= since:
                raise InvalidResponse(
                    "GET /v1/orders/closed: more orders in one second than one answer holds"
                )
            since = batch[-1].created_at if full else until


def _market_pairs(market: str | None) -> order_lists.Pairs:
    return [] if market is None else [("market", market_code(market))]


def _checked_name(order: ExchangeOrder, name: tuple[str, str]) -> ExchangeOrder:
    kind, wanted = name
    if (order.uuid if kind == "uuid" else order.identifier) != wanted:
        raise InvalidResponse(f"the order in the answer is not the one of {kind} {wanted}")
    return order
