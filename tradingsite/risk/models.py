"""The table of halts: why new buys are stopped, since when and until when (docs/risk.md)."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tradingsite.amounts import short
from tradingsite.marketdata.windows import unknown_reason


class HaltQuerySet(models.QuerySet["Halt"]):
    def open(self) -> "HaltQuerySet":
        """Return the halts that have not ended. One past its `until` stays open until a check ends it."""
        return self.filter(ended_at__isnull=True)

    def blocking(self, market: str) -> "HaltQuerySet":
        """Return the open halts that block new buys in `market`: its own and those of all markets."""
        return self.open().filter(market__in=["", market])


class Halt(models.Model):
    """A period without new buys; it stops no sell and no stop-loss.

    Rows are added and ended, never edited or deleted.
    """

    class Kind(models.TextChoices):
        """The cause; it decides who may end the halt."""

        VOLATILITY = "volatility", _("volatility")
        UNKNOWN = "unknown", _("market unknown")
        OPERATOR = "operator", _("operator")

    market = models.CharField(_("market"), max_length=20, blank=True, help_text=_("Empty: all markets."))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    reason = models.CharField(_("reason"), max_length=500)
    started_at = models.DateTimeField(_("started at"))
    until = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("When it ends by itself, if the market stays calm.")
    )
    checked_at = models.DateTimeField(
        _("checked at"), null=True, blank=True, help_text=_("When the program last looked at the cause.")
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    made_by = models.CharField(_("made by"), max_length=150)
    ended_by = models.CharField(_("ended by"), max_length=150, blank=True)
    move_pct = models.DecimalField(
        _("move"),
        max_digits=28,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("In per cent of the low."),
    )
    threshold_pct = models.DecimalField(_("limit"), max_digits=12, decimal_places=4, null=True, blank=True)
    low = models.DecimalField(_("low"), max_digits=20, decimal_places=8, null=True, blank=True)
    high = models.DecimalField(_("high"), max_digits=20, decimal_places=8, null=True, blank=True)
    polls = models.PositiveSmallIntegerField(_("polls"), null=True, blank=True)
    seen_age_s = models.PositiveIntegerField(_("last seen, seconds before"), null=True, blank=True)

    objects = HaltQuerySet.as_manager()

    class Meta:
        db_table = "halt"
        verbose_name = _("halt")
        verbose_name_plural = _("halts")
        get_latest_by = "started_at"
        constraints = [
            models.UniqueConstraint(
                fields=["market", "kind"], condition=Q(ended_at__isnull=True), name="one_open_halt"
            ),
            models.CheckConstraint(
                condition=~Q(kind="operator") | Q(market=""), name="operator_halt_is_for_all_markets"
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["volatility", "unknown"]) | ~Q(market=""),
                name="program_halt_has_a_market",
            ),
            models.CheckConstraint(
                condition=~Q(kind="volatility")
                | Q(until__isnull=False, move_pct__isnull=False, threshold_pct__isnull=False),
                name="volatility_halt_has_its_numbers",
            ),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(made_by=""), name="halt_says_why_and_who"),
        ]
        indexes = [models.Index(fields=["-started_at"], name="halt_newest")]

    def __str__(self) -> str:
        return f"{self.market or gettext('all markets')}: {self.get_kind_display()}"

    def explanation(self) -> str:
        """Return the reason in the active language; an operator's text is returned unchanged."""
        if self.kind == Halt.Kind.VOLATILITY and self.move_pct is not None and self.threshold_pct is not None:
            return gettext("moved %(move)s %% in 5 min, limit %(limit)s %%") % {
                "move": short(self.move_pct),
                "limit": short(self.threshold_pct),
            }
        if self.kind == Halt.Kind.UNKNOWN and self.polls is not None:
            return unknown_reason(self.polls, self.seen_age_s)
        return self.reason
