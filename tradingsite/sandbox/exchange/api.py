"""The endpoints of the sandbox's account API, called after rate limit and signature were checked.

Rules: docs/sandbox-exchange.md E7.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tradingsite.sandbox.exchange import order_lists
from tradingsite.sandbox.exchange.exchange import Exchange
from tradingsite.sandbox.exchange.orders import Order
from tradingsite.sandbox.exchange.refusals import Denied, invalid
from tradingsite.sandbox.exchange.serialization import korean_time, order_json, parse_body, plain, trades_json
from tradingsite.sandbox.exchange.state import ExchangeState, Purse
from tradingsite.sandbox.exchange.terms import TERMS, identifier, known_market, read
from tradingsite.sandbox.http.messages import Request
from tradingsite.sandbox.options import ApiKey
from tradingsite.sandbox.quotation.markets import markets

_BID_TYPES = ("best_fok", "best_ioc", "limit", "limit_fok", "limit_ioc", "price")
_ASK_TYPES = ("best_fok", "best_ioc", "limit", "limit_fok", "limit_ioc", "market")
_YEAR = timedelta(days=365)


class ExchangeApi:
    """Each method takes a request and the exchange's state, and returns the answer's JSON value."""

    def __init__(self, exchange: Exchange, key: ApiKey) -> None:
        self._exchange = exchange
        self._key = key

    def accounts(self, request: Request, state: ExchangeState) -> list[dict[str, object]]:
        """Return all balances. KRW is always listed, other currencies only if the account has some."""
        return [
            _account(currency, purse)
            for currency, purse in state.purses.items()
            if purse.total or currency == "KRW"
        ]

    def chance(self, request: Request, state: ExchangeState) -> dict[str, object]:
        market = known_market(request.params)
        terms = TERMS[market.quote]
        fee = plain(terms.fee_rate)
        min_total = plain(terms.min_total)
        return {
            "bid_fee": fee,
            "ask_fee": fee,
            "maker_bid_fee": fee,
            "maker_ask_fee": fee,
            "market": {
                "id": market.code,
                "name": f"{market.base}/{market.quote}",
                "order_types": ["limit"],
                "order_sides": ["ask", "bid"],
                "bid_types": _BID_TYPES,
                "ask_types": _ASK_TYPES,
                "bid": {"currency": market.quote, "min_total": min_total},
                "ask": {"currency": market.base, "min_total": min_total},
                "max_total": plain(terms.max_total),
                "state": "offline" if market.code in self._exchange.offline else "active",
            },
            "bid_account": _account(market.quote, state.purses.get(market.quote, Purse())),
            "ask_account": _account(market.base, state.purses.get(market.base, Purse())),
        }

    def place(self, request: Request, state: ExchangeState) -> dict[str, object]:
        """Accept an order and return it as it waits.

        Its identifier is used up even if the order is refused.
        """
        body = parse_body(request)
        name = identifier(body)
        if name is not None and not state.use_identifier(name):
            raise Denied("duplicate_identifier")
        return order_json(self._exchange.accept(read(body), request.at_ms))

    def test(self, request: Request, state: ExchangeState) -> dict[str, object]:
        """Answer like `place`, but create no order and leave the identifier free."""
        body = parse_body(request)
        name = identifier(body)
        if name is not None and state.is_identifier_used(name):
            raise Denied("duplicate_identifier")
        return order_json(self._exchange.draft(read(body), request.at_ms))

    def order(self, request: Request, state: ExchangeState) -> dict[str, object]:
        order = _named_order(request, state)
        return {**order_json(order), "trades": trades_json(order)}

    def cancel(self, request: Request, state: ExchangeState) -> dict[str, object]:
        return order_json(self._exchange.cancel(_named_order(request, state), request.at_ms))

    def orders_by_name(self, request: Request, state: ExchangeState) -> order_lists.OrderList:
        return order_lists.named_orders(request, state.orders.values())

    def open_orders(self, request: Request, state: ExchangeState) -> order_lists.OrderList:
        waiting = [state.orders[uuid] for uuid in state.waiting]
        return order_lists.open_orders(request, waiting)

    def closed_orders(self, request: Request, state: ExchangeState) -> order_lists.OrderList:
        return order_lists.closed_orders(request, state.orders.values())

    def api_keys(self, request: Request, state: ExchangeState) -> Sequence[dict[str, object]]:
        """Return the one key. Without an expiry of its own it always expires in a year from now."""
        requested_at = datetime.fromtimestamp(request.at_ms / 1000, UTC)
        ends = self._key.expires_at or requested_at + _YEAR
        return [
            {
                "access_key": self._key.access_key,
                "expire_at": korean_time(int(ends.timestamp() * 1000), "seconds"),
            }
        ]

    def wallet_status(self, request: Request, state: ExchangeState) -> list[dict[str, object]]:
        """Report every wallet as working: the sandbox has no deposits or withdrawals."""
        updated_at = korean_time(request.at_ms // 60_000 * 60_000, "seconds")
        coins = dict.fromkeys(market.base for market in markets().values())
        return [
            {
                "currency": coin,
                "wallet_state": "working",
                "block_state": "normal",
                "block_height": request.at_ms // 600_000,
                "block_updated_at": updated_at,
                "block_elapsed_minutes": 0,
                "net_type": coin,
                "network_name": coin,
            }
            for coin in coins
        ]


def _named_order(request: Request, state: ExchangeState) -> Order:
    uuid, name = request.params.get("uuid"), request.params.get("identifier")
    if not uuid and not name:
        raise invalid("uuid is missing, identifier is missing")
    order = state.orders.get(uuid) if uuid else state.by_identifier(name or "")
    if order is None:
        raise Denied("order_not_found")
    return order


def _account(currency: str, purse: Purse) -> dict[str, object]:
    return {
        "currency": currency,
        "balance": plain(purse.balance),
        "locked": plain(purse.locked),
        "avg_buy_price": plain(purse.avg_buy_price if purse.total else Decimal()),
        "avg_buy_price_modified": currency == "KRW",
        "unit_currency": "KRW",
    }
