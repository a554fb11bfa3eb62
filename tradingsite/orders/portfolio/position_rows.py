"""The positions at their last prices, formatted for the status page and the admin."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from tradingsite.amounts import exact, won_with_decimals
from tradingsite.marketdata.windows import Window, read_windows
from tradingsite.orders.portfolio.positions import Holding, is_dust, positions


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A market's holding and its last price, which may be old (`window.seen_at`) or missing.

    Texts are empty if there is no position or no price.
    """

    holding: Holding
    window: Window

    @property
    def volume(self) -> str:
        return exact(self.holding.volume)

    @property
    def average_price(self) -> str:
        average = self.holding.average_price
        # Cheap coins cost fractions of a won, so they need more decimals.
        return "" if average is None else f"{average:,.{2 if average >= 100 else 8}f}"

    @property
    def cost(self) -> str:
        return won_with_decimals(self.holding.cost) if self.holding.volume else ""

    @property
    def price(self) -> str:
        return self.window.shown_price

    @property
    def value(self) -> str:
        price, volume = self.window.price, self.holding.volume
        return "" if price is None or not volume else won_with_decimals(volume * price)

    @property
    def unrealised(self) -> str:
        price, volume = self.window.price, self.holding.volume
        return "" if price is None or not volume else won_with_decimals(self.holding.unrealised(price))

    @property
    def realised(self) -> str:
        return won_with_decimals(self.holding.realised)

    @property
    def realised_today(self) -> str:
        return won_with_decimals(self.holding.realised_today)

    @property
    def note(self) -> str:
        if self.holding.volume and self.window.price is None:
            return gettext("no price is stored")
        if self.window.price is not None and is_dust(self.holding.volume, self.window.price):
            return gettext("dust: too little to be sold")
        if self.holding.oversold:
            sold = exact(self.holding.oversold)
            return gettext("%(volume)s sold that were never bought") % {"volume": sold}
        return ""


def position_rows(at: datetime) -> dict[str, Any]:
    """Return `rows`, open positions first, and the totals of `realised` and `realised_today`."""
    books = sorted(positions(at), key=lambda each: (not each.volume, each.market))
    windows = read_windows([each.market for each in books], at)
    return {
        "rows": [PositionRow(book, window) for book, window in zip(books, windows, strict=True)],
        "realised": won_with_decimals(sum((each.realised for each in books), Decimal(0))),
        "realised_today": won_with_decimals(sum((each.realised_today for each in books), Decimal(0))),
    }
