"""Market data: what the exchange said, and when."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MarketdataConfig(AppConfig):
    """Prices as they were collected, and the proof that they were."""

    name = "tradingsite.marketdata"
    verbose_name = _("Market data")
