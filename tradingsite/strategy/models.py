"""The table of signals, the model's advice for one market at one tick, and what the price did afterwards.

Rules: docs/signals.md D11.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from healthcheck.templatetags.moments import moment_text
from tradingsite.strategy.calls import ModelCall

__all__ = ["ModelCall", "SignalOutcome", "TradingSignal", "TradingSignalQuerySet"]


class TradingSignalQuerySet(models.QuerySet["TradingSignal"]):
    def newest(self) -> "TradingSignal | None":
        return self.order_by("-created_at").first()


class TradingSignal(models.Model):
    """One decision. Rows never change; a failure of the model is stored as a HOLD with its reason code."""

    class Decision(models.TextChoices):
        """What to do. The model never decides price or size."""

        BUY = "BUY", _("buy")
        SELL = "SELL", _("sell")
        HOLD = "HOLD", _("hold")

    market = models.CharField(_("market"), max_length=20)
    tick = models.DateTimeField(_("tick"), help_text=_("The scheduled moment this decision belongs to."))
    as_of = models.DateTimeField(
        _("as of"), help_text=_("The moment of the newest fact behind the decision.")
    )
    price = models.DecimalField(
        _("price"),
        max_digits=20,
        decimal_places=8,
        null=True,
        blank=True,
        help_text=_("The market's price at that moment, in its quote currency."),
    )
    decision = models.CharField(_("decision"), max_length=4, choices=Decision)
    confidence = models.DecimalField(
        _("confidence"), max_digits=5, decimal_places=4, null=True, blank=True, help_text=_("0 to 1.")
    )
    reasoning = models.TextField(_("reasoning"), blank=True)
    reason_code = models.CharField(
        _("reason code"),
        max_length=40,
        blank=True,
        help_text=_("Which guard made it a HOLD; empty: the model."),
    )
    model_asked = models.CharField(_("requested model"), max_length=100, blank=True)
    model_answered = models.CharField(_("model that answered"), max_length=100, blank=True)
    call = models.OneToOneField(
        ModelCall,
        verbose_name=_("model call"),
        on_delete=models.PROTECT,
        related_name="signal",
        null=True,
        blank=True,
        help_text=_("Empty when a guard prevented the call."),
    )
    inputs = models.JSONField(
        _("inputs"), default=dict, blank=True, help_text=_("The numbers behind it, as they were sent.")
    )
    config = models.JSONField(
        _("configuration"), default=dict, blank=True, help_text=_("The values in force that it used.")
    )
    ungrounded = models.JSONField(
        _("numbers of unknown origin"),
        default=list,
        blank=True,
        help_text=_("Quoted in the reasoning, but near none of the inputs."),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    objects = TradingSignalQuerySet.as_manager()

    class Meta:
        db_table = "trading_signal"
        verbose_name = _("signal")
        verbose_name_plural = _("signals")
        get_latest_by = "created_at"
        constraints = [
            models.UniqueConstraint(fields=["market", "tick"], name="one_signal_per_market_and_tick"),
            models.CheckConstraint(condition=Q(decision__in=["BUY", "SELL", "HOLD"]), name="signal_decides"),
            models.CheckConstraint(
                condition=Q(confidence__isnull=True) | Q(confidence__gte=0, confidence__lte=1),
                name="signal_confidence_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(price__isnull=True) | Q(price__gt=0), name="signal_price_positive"
            ),
            models.CheckConstraint(
                condition=Q(decision="HOLD")
                | Q(confidence__isnull=False, price__isnull=False, reason_code=""),
                name="signal_to_trade_is_complete",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at"], name="signal_newest"),
            models.Index(fields=["market", "as_of"], name="signal_market_as_of"),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.decision} {moment_text(self.tick, 'dated minutes')}"


class SignalOutcome(models.Model):
    """What the price did after a signal. A row without a price means that it can no longer be found out."""

    class After(models.IntegerChoices):
        """Minutes from the signal's `as_of`."""

        HALF_HOUR = 30, _("30 min")
        FOUR_HOURS = 240, _("4 h")
        DAY = 1440, _("24 h")

    signal = models.ForeignKey(
        TradingSignal, verbose_name=_("signal"), on_delete=models.PROTECT, related_name="outcomes"
    )
    after_min = models.PositiveIntegerField(_("minutes after"), choices=After)
    price = models.DecimalField(_("price then"), max_digits=20, decimal_places=8, null=True, blank=True)
    move_pct = models.DecimalField(
        _("move (%)"), max_digits=12, decimal_places=4, null=True, blank=True, help_text=_("Signed.")
    )
    measured_at = models.DateTimeField(_("measured at"))

    class Meta:
        db_table = "signal_outcome"
        verbose_name = _("outcome")
        verbose_name_plural = _("outcomes")
        constraints = [
            models.UniqueConstraint(fields=["signal", "after_min"], name="one_outcome_per_signal_and_span"),
            models.CheckConstraint(condition=Q(after_min__in=[30, 240, 1440]), name="outcome_span_known"),
            models.CheckConstraint(
                condition=Q(price__isnull=True, move_pct__isnull=True)
                | Q(price__isnull=False, price__gt=0, move_pct__isnull=False),
                name="outcome_price_and_move_together",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.signal} +{self.after_min} min"
