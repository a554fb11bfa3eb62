"""The table of calls to the model: what was sent, what came back, what it cost (docs/signals.md D9)."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from healthcheck.templatetags.moments import moment_text

FAMILY_LENGTH = 100
"""Longest stored model name; no model that we use has a longer one."""


class ModelCallQuerySet(models.QuerySet["ModelCall"]):
    def started_between(self, start: datetime, end: datetime) -> "ModelCallQuerySet":
        """Return the calls started in [start, end), finished or not."""
        return self.filter(started_at__gte=start, started_at__lt=end)

    def failures_in_a_row(self, model: str, at_most: int = 50) -> "list[ModelCall]":
        """Return the failed calls of `model` since its last success, newest first, at most `at_most`.

        A call that never ended (its process was killed) says nothing about the model and is skipped.
        """
        ended = self.filter(model_asked=model, ended_at__isnull=False).order_by("-started_at", "-pk")
        found = []
        for call in ended.defer("prompt", "instruction", "response")[:at_most]:
            if not call.error_kind:
                break
            found.append(call)
        return found


class ModelCall(models.Model):
    """One call. Its row is committed before the call, so that a killed process's calls are counted, too.

    Old texts are blanked (`retention`); hashes, numbers and times are kept for ever.
    """

    market = models.CharField(_("market"), max_length=20)
    tick = models.DateTimeField(_("tick"))
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(
        _("ended at"), null=True, blank=True, help_text=_("Empty: it runs, or its process was killed.")
    )
    model_asked = models.CharField(_("model asked"), max_length=FAMILY_LENGTH)
    model_answered = models.CharField(_("model that answered"), max_length=FAMILY_LENGTH, blank=True)
    template_version = models.CharField(_("template version"), max_length=20)
    template_sha256 = models.CharField(_("SHA-256 of the template"), max_length=64)
    instruction = models.TextField(_("instruction"), blank=True)
    prompt = models.TextField(_("prompt"), blank=True)
    prompt_sha256 = models.CharField(_("SHA-256 of the prompt"), max_length=64)
    request_config = models.JSONField(_("request"), default=dict)
    response = models.TextField(_("answer"), blank=True, help_text=_("As it came, also when unusable."))
    response_sha256 = models.CharField(_("SHA-256 of the answer"), max_length=64, blank=True)
    finish_reason = models.CharField(_("finish reason"), max_length=40, blank=True)
    http_status = models.PositiveIntegerField(_("HTTP status"), null=True, blank=True)
    error_kind = models.CharField(
        _("kind of failure"), max_length=40, blank=True, help_text=_("Empty when it could be used.")
    )
    error_message = models.TextField(_("what went wrong"), blank=True)
    retry_after_s = models.FloatField(_("retry after (s)"), null=True, blank=True)
    not_before = models.DateTimeField(
        _("not before"), null=True, blank=True, help_text=_("The quota is used up until then.")
    )
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), null=True, blank=True)
    output_tokens = models.PositiveIntegerField(_("output tokens"), null=True, blank=True)
    thinking_tokens = models.PositiveIntegerField(_("thinking tokens"), null=True, blank=True)
    price_table = models.CharField(_("price table"), max_length=20, blank=True)
    cost_usd = models.DecimalField(
        _("cost (USD)"), max_digits=16, decimal_places=9, null=True, blank=True, help_text=_("List price.")
    )
    latency_ms = models.FloatField(_("latency (ms)"), null=True, blank=True)

    objects = ModelCallQuerySet.as_manager()

    class Meta:
        db_table = "model_call"
        verbose_name = _("model call")
        verbose_name_plural = _("model calls")
        get_latest_by = "started_at"
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=models.F("started_at")),
                name="model_call_ends_after_its_start",
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at"], name="model_call_newest"),
            models.Index(fields=["started_at"], name="model_call_texts", condition=~Q(prompt="")),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.model_asked} {moment_text(self.started_at)}"
