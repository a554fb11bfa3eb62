"""Orders: asked for at most once, and believed only by evidence."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tradingsite.strategy.models import TradingSignal


class State(models.TextChoices):
    """Where an intent stands. UNKNOWN may exist on the exchange: only evidence resolves it."""

    PLANNED = "PLANNED", _("planned")
    DENIED = "DENIED", _("denied by a limit")
    SUBMITTING = "SUBMITTING", _("being sent")
    OPEN = "OPEN", _("open")
    PARTIAL = "PARTIAL", _("partly filled")
    DONE = "DONE", _("done")
    CANCELLED = "CANCELLED", _("cancelled")
    REJECTED = "REJECTED", _("rejected by the exchange")
    UNKNOWN = "UNKNOWN", _("unknown")
    LOST = "LOST", _("never arrived")


class Side(models.TextChoices):
    """Upbit's words."""

    BID = "bid", _("buy")
    ASK = "ask", _("sell")


class OrderType(models.TextChoices):
    """Upbit's words: `price` buys for a total, `market` sells a volume."""

    LIMIT = "limit", pgettext_lazy("order type", "limit")
    PRICE = "price", _("market buy")
    MARKET = "market", _("market sell")
    BEST = "best", _("best")


ACTIVE_STATES = [state.value for state in (State.SUBMITTING, State.OPEN, State.PARTIAL, State.UNKNOWN)]
"""May still change on the exchange, or may exist there without our knowing."""
PLACED_STATES = [state.value for state in (State.OPEN, State.PARTIAL, State.DONE, State.CANCELLED)]
"""Known to the exchange, which gave it a UUID."""


def _given(amount: str) -> Q:
    # The comparison alone would let NULL pass: a check constraint refuses only what is false.
    return Q(**{f"{amount}__isnull": False, f"{amount}__gt": 0})


class OrderQuerySet(models.QuerySet["Order"]):
    """Questions about orders."""

    def active(self) -> "OrderQuerySet":
        """Return the orders whose outcome is open. These are never deleted."""
        return self.filter(state__in=ACTIVE_STATES)


class Order(models.Model):
    """One intent to trade: the row is committed before anything is sent, its identifier never used again."""

    signal = models.ForeignKey(
        TradingSignal,
        verbose_name=_("signal"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        help_text=_("Empty for a stop-loss."),
    )
    identifier = models.CharField(
        _("identifier"), max_length=64, unique=True, help_text=_("Our name for it.")
    )
    uuid = models.CharField(
        "UUID", max_length=64, unique=True, null=True, blank=True, help_text=_("Upbit's name for it.")
    )
    market = models.CharField(_("market"), max_length=20)
    side = models.CharField(_("side"), max_length=3, choices=Side)
    ord_type = models.CharField(_("type"), max_length=6, choices=OrderType)
    price = models.DecimalField(
        _("price asked"), max_digits=20, decimal_places=8, null=True, blank=True, help_text=_("Of one unit.")
    )
    volume = models.DecimalField(_("volume asked"), max_digits=24, decimal_places=8, null=True, blank=True)
    funds = models.DecimalField(
        _("total asked"),
        max_digits=24,
        decimal_places=8,
        null=True,
        blank=True,
        help_text=_("What a market buy may spend, the fee not included. Upbit calls it price."),
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLANNED)
    reason = models.TextField(
        _("reason"), blank=True, help_text=_("Why it was denied, rejected or given up.")
    )
    executed_volume = models.DecimalField(_("executed volume"), max_digits=24, decimal_places=8, default=0)
    executed_funds = models.DecimalField(
        _("executed total"), max_digits=36, decimal_places=16, default=0, help_text=_("The fee not included.")
    )
    paid_fee = models.DecimalField(
        _("fee paid"),
        max_digits=36,
        decimal_places=16,
        default=0,
        help_text=_("As Upbit says it, unrounded."),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        db_table = "trading_order"
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        get_latest_by = "created_at"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="order_state_is_known"),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="order_side_is_known"),
            models.UniqueConstraint(fields=["signal", "side"], name="one_order_per_signal_and_side"),
            # Upbit's signature breaks on other characters: a space travels as a plus sign.
            models.CheckConstraint(
                condition=Q(identifier__regex=r"^[A-Za-z0-9_-]+$"), name="order_identifier_is_plain"
            ),
            models.CheckConstraint(
                condition=Q(_given("price") & _given("volume"), ord_type="limit", funds=None)
                | Q(_given("funds"), ord_type__in=["price", "best"], side="bid", price=None, volume=None)
                | Q(_given("volume"), ord_type__in=["market", "best"], side="ask", price=None, funds=None),
                name="order_asks_what_its_type_takes",
            ),
            models.CheckConstraint(
                condition=Q(executed_volume__gte=0, executed_funds__gte=0, paid_fee__gte=0),
                name="order_fills_are_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=PLACED_STATES) | Q(uuid__isnull=False),
                name="order_on_the_exchange_has_its_uuid",
            ),
        ]
        indexes = [
            models.Index(fields=["market"], condition=Q(state__in=ACTIVE_STATES), name="order_active"),
            models.Index(fields=["-created_at"], name="order_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.side} {self.identifier}"
