"""Tables of orders, fills, account readings and reconciliation rounds.

An order is sent at most once, and only evidence from the exchange decides what happened to it.

Rules: docs/orders.md.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from healthcheck.templatetags.moments import moment_text
from tradingsite.amounts import exact
from tradingsite.strategy.models import TradingSignal


class OrderState(models.TextChoices):
    """The state of an order.

    An UNKNOWN one may exist at the exchange: only a report or the balance can tell.
    """

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
    """Upbit's terms."""

    BID = "bid", _("buy")
    ASK = "ask", _("sell")


class OrderType(models.TextChoices):
    """Upbit's terms: `price` buys for a total, `market` sells a volume."""

    LIMIT = "limit", pgettext_lazy("order type", "limit")
    PRICE = "price", _("market buy")
    MARKET = "market", _("market sell")
    BEST = "best", _("best")


class Cause(models.TextChoices):
    SIGNAL = "signal", _("signal")
    STOP_LOSS = "stop_loss", _("stop-loss")


ONE_AT_A_TIME = [state.value for state in (OrderState.SUBMITTING, OrderState.OPEN, OrderState.PARTIAL)]
"""A market has at most one order in these states. Only a stop-loss may sell while another order is UNKNOWN.

PLANNED is not among them: such an order may become DENIED because of the other one, and no other process sees
it.
"""
ACTIVE_STATES = [*ONE_AT_A_TIME, OrderState.UNKNOWN.value]
"""May still change at the exchange, or may exist there without our knowledge."""
ENDED_STATES = [
    OrderState.DENIED.value,
    OrderState.REJECTED.value,
    OrderState.DONE.value,
    OrderState.CANCELLED.value,
    OrderState.LOST.value,
]
"""Final, except LOST: such an order may still turn up."""
PLACED_STATES = [
    OrderState.OPEN.value,
    OrderState.PARTIAL.value,
    OrderState.DONE.value,
    OrderState.CANCELLED.value,
]
"""The exchange has the order and gave it a UUID."""


def _given(amount: str) -> Q:
    # Without IS NOT NULL a NULL would pass, because a check constraint only refuses what is false.
    return Q(**{f"{amount}__isnull": False, f"{amount}__gt": 0})


class OrderQuerySet(models.QuerySet["Order"]):
    def active(self) -> "OrderQuerySet":
        """Return the orders that may still change. They are never deleted."""
        return self.filter(state__in=ACTIVE_STATES)


class Order(models.Model):
    """One order. Its row is committed before anything is sent, and its identifier is never reused."""

    signal = models.OneToOneField(
        TradingSignal,
        verbose_name=_("signal"),
        on_delete=models.PROTECT,
        related_name="order",
        null=True,
        blank=True,
        help_text=_("Empty for a stop-loss."),
    )
    cause = models.CharField(_("cause"), max_length=10, choices=Cause, default=Cause.SIGNAL)
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
        _("ordered price"),
        max_digits=20,
        decimal_places=8,
        null=True,
        blank=True,
        help_text=_("Of one unit."),
    )
    volume = models.DecimalField(_("ordered volume"), max_digits=24, decimal_places=8, null=True, blank=True)
    funds = models.DecimalField(
        _("ordered total"),
        max_digits=24,
        decimal_places=8,
        null=True,
        blank=True,
        help_text=_("What a market buy may spend, the fee not included. Upbit calls it price."),
    )
    state = models.CharField(_("state"), max_length=10, choices=OrderState, default=OrderState.PLANNED)
    reason = models.TextField(
        _("reason"), blank=True, help_text=_("Why it was denied, rejected or given up.")
    )
    checks = models.JSONField(
        _("checks"),
        default=list,
        help_text=_("The risk gate's checks, in its order: name, passed, text."),
    )
    clamps = models.JSONField(
        _("clamps"), default=list, help_text=_("What the limits took off: limit, before, after.")
    )
    decided_price = models.DecimalField(
        _("price at the decision"), max_digits=20, decimal_places=8, null=True, blank=True
    )
    krw_before = models.DecimalField(
        _("KRW before"),
        max_digits=36,
        decimal_places=16,
        null=True,
        blank=True,
        help_text=_(
            "The whole balance before the order was sent, what is locked included: evidence for later."
        ),
    )
    coin_before = models.DecimalField(
        _("coins before"), max_digits=36, decimal_places=16, null=True, blank=True
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
    submitted_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(
        _("acknowledged at"), null=True, blank=True, help_text=_("An operator has seen that it was lost.")
    )
    acknowledged_by = models.CharField(_("acknowledged by"), max_length=150, blank=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        db_table = "trading_order"
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        get_latest_by = "created_at"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=OrderState.values), name="order_state_is_known"),
            models.CheckConstraint(condition=Q(side__in=Side.values), name="order_side_is_known"),
            models.CheckConstraint(
                condition=Q(cause="signal", signal__isnull=False)
                | Q(cause="stop_loss", signal=None, side="ask"),
                name="order_has_its_cause",
            ),
            models.UniqueConstraint(
                fields=["market"], condition=Q(state__in=ONE_AT_A_TIME), name="one_order_at_a_time_per_market"
            ),
            # Other characters break Upbit's signature: a space is sent as a plus sign.
            models.CheckConstraint(
                condition=Q(identifier__regex=r"^[A-Za-z0-9_-]+$"), name="order_identifier_is_plain"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["PLANNED", "DENIED"])
                | Q(_given("price") & _given("volume"), ord_type="limit", funds=None)
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

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED_STATES


class Fill(models.Model):
    """One trade of an order, as the exchange reports it."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="fills")
    uuid = models.CharField("UUID", max_length=64)
    price = models.DecimalField(_("price"), max_digits=20, decimal_places=8)
    volume = models.DecimalField(_("volume"), max_digits=24, decimal_places=8)
    funds = models.DecimalField(_("total"), max_digits=36, decimal_places=16)
    traded_at = models.DateTimeField(_("traded at"))

    class Meta:
        db_table = "fill"
        verbose_name = _("fill")
        verbose_name_plural = _("fills")
        ordering = ("traded_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["order", "uuid"], name="fill_is_told_once"),
            models.CheckConstraint(
                condition=Q(price__gt=0, volume__gt=0, funds__gt=0), name="fill_is_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{exact(self.volume)} at {exact(self.price)}"


class OrderEvent(models.Model):
    """A change of an order's state, or a lookup that changed nothing. Never edited."""

    class What(models.TextChoices):
        """A step changes the state; a lookup found nothing new, or nothing at all."""

        MOVED = "moved", _("moved")
        LOOKED = "looked", _("looked")

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField(_("at"))
    what = models.CharField(_("what"), max_length=6, choices=What)
    state_before = models.CharField(_("state before"), max_length=10, choices=OrderState, blank=True)
    state_after = models.CharField(_("state after"), max_length=10, choices=OrderState)
    evidence = models.JSONField(_("evidence"), default=dict)

    class Meta:
        db_table = "order_event"
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.state_before or '-'} -> {self.state_after}"


class AccountReading(models.Model):
    """The account's balances at one time, and what they were worth."""

    read_at = models.DateTimeField(_("read at"), primary_key=True)
    krw_free = models.DecimalField(_("KRW free"), max_digits=36, decimal_places=16)
    krw_locked = models.DecimalField(_("KRW locked"), max_digits=36, decimal_places=16)
    coins = models.JSONField(
        _("coins"), default=dict, help_text=_("Of each currency the text of its balance and what is locked.")
    )
    equity = models.DecimalField(
        _("equity"),
        max_digits=36,
        decimal_places=16,
        null=True,
        help_text=_("Empty while a price is missing."),
    )
    unexplained = models.JSONField(
        _("not from our fills"),
        default=dict,
        help_text=_(
            "Of won and each traded coin, what our fills do not explain. Empty while an order is open."
        ),
    )

    class Meta:
        db_table = "account_reading"
        verbose_name = _("account reading")
        verbose_name_plural = _("account readings")
        get_latest_by = "read_at"

    def __str__(self) -> str:
        return moment_text(self.read_at)


class TradingDay(models.Model):
    """The equity from which a day's loss is measured: that of the first evaluation after 00:00 in Korea."""

    day = models.DateField(_("day in Korea"), primary_key=True)
    base_equity = models.DecimalField(_("equity at its start"), max_digits=36, decimal_places=16)
    base_result = models.DecimalField(
        _("result at its start"),
        max_digits=36,
        decimal_places=16,
        null=True,
        help_text=_("What all trading had won or lost until then, by our own fills at the prices of then."),
    )
    based_at = models.DateTimeField(_("measured at"))

    class Meta:
        db_table = "trading_day"
        verbose_name = _("trading day")
        verbose_name_plural = _("trading days")
        get_latest_by = "day"

    def __str__(self) -> str:
        return f"{self.day}"


class SyncRound(models.Model):
    """One successful reconciliation, and the activity it found that is not ours."""

    at = models.DateTimeField(_("at"), primary_key=True)
    looked = models.PositiveIntegerField(_("orders looked at"), default=0)
    resolved = models.PositiveIntegerField(_("orders resolved"), default=0)
    strangers = models.JSONField(
        _("not ours"), default=list, help_text=_("Orders and balances that the trader did not cause.")
    )

    class Meta:
        db_table = "sync_round"
        verbose_name = _("sync round")
        verbose_name_plural = _("sync rounds")
        get_latest_by = "at"

    def __str__(self) -> str:
        return moment_text(self.at)
