"""Risk: what stops new buys, and why."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RiskConfig(AppConfig):
    """Halts made by the program or by an operator."""

    name = "tradingsite.risk"
    verbose_name = _("Risk")
