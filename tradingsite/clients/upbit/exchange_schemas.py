"""Answers of Upbit's exchange API, with Upbit's own field names (docs/upbit-client.md U2).

Amounts come as decimal strings and stay exact; times are aware UTC; enumerations stay text, because Upbit
adds values. Upbit leaves out fields that are null.
"""

from decimal import Decimal

from pydantic import Field

from tradingsite.clients.upbit.schemas import Amount, Body, Moment


class Balance(Body):
    """One element of GET /v1/accounts. A currency that was never in the account is missing.

    `balance` is available, `locked` is reserved by open orders. `avg_buy_price` is Upbit's own average over
    every purchase in the account, not only ours.
    """

    currency: str
    balance: Amount
    locked: Amount
    avg_buy_price: Amount | None = None
    unit_currency: str | None = None


class Side(Body):
    """The minimum total of an order on one side of a market, in the quote currency."""

    currency: str
    min_total: Amount


class ChanceMarket(Body):
    """The market of a `Chance`. It can be traded while `state` is "active"."""

    id: str
    state: str
    bid: Side
    ask: Side
    max_total: Amount
    order_sides: tuple[str, ...] = ()
    bid_types: tuple[str, ...] = ()
    ask_types: tuple[str, ...] = ()


class Chance(Body):
    """GET /v1/orders/chance. Fees are ratios: 0.0005 is 0.05 %."""

    bid_fee: Amount
    ask_fee: Amount
    maker_bid_fee: Amount | None = None
    maker_ask_fee: Amount | None = None
    market: ChanceMarket
    bid_account: Balance | None = None
    ask_account: Balance | None = None


class Trade(Body):
    """One fill of an order. `funds` is price x volume, without the fee."""

    market: str
    uuid: str
    price: Amount
    volume: Amount
    funds: Amount
    side: str
    created_at: Moment


class ExchangeOrder(Body):
    """An order, as returned when placing, cancelling or reading it.

    Attributes:
        state: "wait", "watch", "done" or "cancel". A filled market buy usually ends as "cancel".
        price: the unit price, but the KRW total if `ord_type` is "price"; None for a market sell.
        executed_volume: filled so far; 0 if Upbit leaves it out, as it does at first.
        paid_fee: in the quote currency, exact.
        executed_funds: only in lists.
        trades: only from `order()`.
    """

    uuid: str = Field(min_length=1)
    market: str
    side: str
    ord_type: str
    state: str
    created_at: Moment
    price: Amount | None = None
    volume: Amount | None = None
    remaining_volume: Amount | None = None
    executed_volume: Amount = Decimal(0)
    reserved_fee: Amount
    remaining_fee: Amount
    paid_fee: Amount
    locked: Amount
    prevented_volume: Amount = Decimal(0)
    trades_count: int
    identifier: str | None = None
    time_in_force: str | None = None
    smp_type: str | None = None
    executed_funds: Amount | None = None
    trades: tuple[Trade, ...] = ()


class ApiKey(Body):
    """One element of GET /v1/api_keys. Our own key is recognised by being masked, as in every answer."""

    access_key: str = Field(repr=False)
    expire_at: Moment


class WalletStatus(Body):
    """One element of GET /v1/status/wallet: whether a currency can be deposited and withdrawn now."""

    currency: str
    wallet_state: str
    block_state: str | None = None
    net_type: str | None = None
    network_name: str | None = None
