"""Texts for the reasons why an order was denied: by the gate's checks, or before the gate."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

DENIALS: dict[str, Promise] = {
    "trading_disabled": _("trading is switched off"),
    "halted": _("new buys were halted"),
    "not_synced": _("orders could not be reconciled first"),
    "volatility_unchecked": _("volatility was not checked"),
    "price_stale": _("the price was too old"),
    "signal_expired": _("the signal was too old"),
    "price_moved": _("the price had moved"),
    "low_confidence": _("too little confidence"),
    "order_unresolved": _("another order was open"),
    "market_offline": _("the market was closed at the exchange"),
    "daily_loss": _("the daily loss limit was reached"),
    "exposure_full": _("the exposure limit was reached"),
    "no_size": _("the size came to nothing"),
    "no_free_balance": _("too little free balance"),
    "too_small_to_sell": _("too small to be sold after a stop-loss"),
    "nothing_to_sell": _("nothing of ours to sell"),
    "dust": _("too little to be sold"),
    "exchange_unavailable": _("the exchange did not answer"),
    "limit_unreadable": _("a setting could not be read"),
    "not_written": _("the database refused the order"),
}


def denial(code: str) -> str:
    """Return the text of a reason code in the active language; an unknown code is returned as it is."""
    return str(DENIALS.get(code, code))
