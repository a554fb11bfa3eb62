"""The sandbox's start options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tradingsite.sandbox.limits import Limit

DEFAULT_SEED = 1
GEMINI_KEY = "sandbox-gemini-key"  # the only key the model host knows (docs/sandbox.md)
ACCESS_KEY = "sandbox-access-key"  # the only key the exchange knows (docs/sandbox-exchange.md)
SECRET_KEY = "sandbox-secret-key-sandbox-secret-key-sandbox-secret-key-sandbox!"  # noqa: S105 - public on purpose
VIEW_ACCOUNTS, VIEW_ORDERS, MAKE_ORDERS = "view_accounts", "view_orders", "make_orders"


@dataclass(frozen=True)
class ApiKey:
    """The account's API key. `allowed_ips` None allows every address, `expires_at` None means never."""

    access_key: str = ACCESS_KEY
    secret_key: str = field(default=SECRET_KEY, repr=False)
    permissions: frozenset[str] = frozenset({VIEW_ACCOUNTS, VIEW_ORDERS, MAKE_ORDERS})
    allowed_ips: frozenset[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Options:
    """The options; with the defaults the sandbox behaves like the exchange on a normal day.

    `limits` replaces the rate limits of the groups it names. After `refusals_before_block` 429s in a row a
    client is banned (418) for `first_block_s`, each further time twice as long. Orders are matched
    `fill_after_ms` after they were accepted, None for never. `api_key` is the account's only key. With
    `relay_url` prices come from that exchange.
    """

    limits: Mapping[str, Limit] = field(default_factory=dict)
    refusals_before_block: int = 20
    first_block_s: int = 10
    plain_text_429: bool = False
    numeric_strings: bool = False
    fill_after_ms: int | None = 300
    api_key: ApiKey = field(default_factory=ApiKey)
    relay_url: str | None = None
