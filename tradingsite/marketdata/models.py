"""Database tables for collected prices, and for how calls to the exchange went (docs/market-data.md)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from healthcheck.templatetags.moments import moment_text
from tradingsite.amounts import exact


class Ticker(models.Model):
    """One price of a market, from its trade until the last poll that returned it.

    No foreign key points here: old rows are deleted in bulk, and the table may be partitioned some day.
    """

    # A surrogate key would need a third index on the fastest growing table.
    pk = models.CompositePrimaryKey("market", "traded_at")
    market = models.CharField(_("market"), max_length=20, help_text=_("Upbit's market code, e.g. KRW-BTC."))
    traded_at = models.DateTimeField(_("traded at"), help_text=_("The exchange's time of the last trade."))
    price = models.DecimalField(
        _("price"), max_digits=20, decimal_places=8, help_text=_("In the market's quote currency.")
    )
    first_seen_at = models.DateTimeField(_("first seen at"))
    last_seen_at = models.DateTimeField(_("last seen at"), help_text=_("The last poll that saw this price."))

    class Meta:
        db_table = "ticker"
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gt=0), name="ticker_price_positive"),
            models.CheckConstraint(
                condition=models.Q(last_seen_at__gte=models.F("first_seen_at")), name="ticker_seen_in_order"
            ),
        ]
        indexes = [models.Index(fields=["market", "last_seen_at"], name="ticker_market_seen")]

    def __str__(self) -> str:
        return f"{self.market} {exact(self.price)}"


class Poll(models.Model):
    """One successful price request, and the markets it returned."""

    polled_at = models.DateTimeField(_("polled at"), primary_key=True)
    markets = ArrayField(models.CharField(max_length=20), verbose_name=_("markets"))

    class Meta:
        db_table = "poll"
        verbose_name = _("poll")
        verbose_name_plural = _("polls")
        get_latest_by = "polled_at"

    def __str__(self) -> str:
        return moment_text(self.polled_at)


class VenueEvidence(models.Model):
    """How the trader's last calls to one API of the exchange went, written by the leading scheduler.

    Times are the database's, except the API key's, which are of the process that read them.
    """

    venue = models.CharField(_("venue"), max_length=16, primary_key=True)
    answered = models.PositiveSmallIntegerField(
        _("answered"), default=0, help_text=_("Of the last 20 calls.")
    )
    failed = models.PositiveSmallIntegerField(_("failed"), default=0, help_text=_("Of the last 20 calls."))
    last_success_at = models.DateTimeField(_("last success"), null=True)
    last_failure_at = models.DateTimeField(_("last failure"), null=True)
    last_failure_kind = models.CharField(_("kind of the last failure"), max_length=16, blank=True, default="")
    p50_ms = models.FloatField(_("median of the answers in ms"), null=True)
    skew_s = models.FloatField(_("our clock less the venue's, in s"), null=True)
    budget = models.JSONField(_("requests left in their second, by group"), default=dict)
    limited_until = models.DateTimeField(_("limited until"), null=True)
    banned = models.BooleanField(_("banned"), default=False)
    key_checked_at = models.DateTimeField(_("API key checked at"), null=True)
    key_refused = models.BooleanField(_("key refused"), default=False)
    key_expires_at = models.DateTimeField(_("key expires at"), null=True)

    class Meta:
        db_table = "venue_evidence"
        verbose_name = _("evidence of a venue")
        verbose_name_plural = _("evidence of venues")

    def __str__(self) -> str:
        return self.venue
