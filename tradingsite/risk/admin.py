"""Admin page of halts, where operators stop and resume buying.

Halts are added and ended, never edited or deleted.
"""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from healthcheck.admin_bases import EndableAdmin
from tradingsite.risk import halts
from tradingsite.risk.models import Halt


class HaltForm(forms.ModelForm[Halt]):
    class Meta:
        model = Halt
        fields = ("reason",)
        help_texts = {
            "reason": _(
                "Stops new buys of all markets at once, until an operator ends it. "
                "It stops no sell and no stop-loss."
            )
        }

    def clean(self) -> None:
        """Refuse a second operator's halt: if someone ended the first, its author would not notice."""
        super().clean()
        halt = halts.by_operators().first()
        if halt is not None:
            raise forms.ValidationError(halts.already_halted(halt))


@admin.register(Halt)
class HaltAdmin(EndableAdmin[Halt]):
    form = HaltForm
    list_display = (
        "where",
        "kind",
        "why",
        "started_at",
        "until",
        "is_open",
        "made_by",
        "ended_at",
        "ended_by",
    )
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "kind", "market")
    ordering = ("-started_at",)
    add_title = _("Halt now")

    @admin.display(description=_("market"), ordering="market")
    def where(self, halt: Halt) -> str:
        return halt.market or gettext("all markets")

    @admin.display(description=_("reason"))
    def why(self, halt: Halt) -> str:
        return halt.explanation()

    @admin.display(description=_("open"), boolean=True)
    def is_open(self, halt: Halt) -> bool:
        return halt.ended_at is None

    def save_model(
        self,
        request: HttpRequest,
        obj: Halt,
        form: forms.ModelForm[Halt],
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        try:
            made = halts.halt_now(obj.reason, request.user.get_username())
        except halts.AlreadyHalted as error:
            # Another operator was slightly faster; new buys are halted anyway.
            made = error.halt
            self.message_user(request, halts.already_halted(made), messages.WARNING)
        obj.pk = made.pk
        obj.refresh_from_db()

    def end(self, row: Halt, by: str) -> bool:
        return halts.end(row, by)

    @admin.action(description=_("End the selected halts now"), permissions=["end"])
    def end_now(self, request: HttpRequest, queryset: Any) -> None:
        super().end_now(request, queryset)

    def say_ended(self, request: HttpRequest, ended: Sequence[Halt]) -> None:
        text = ngettext("%(count)d halt ended.", "%(count)d halts ended.", len(ended)) % {"count": len(ended)}
        self.message_user(request, text)
        if any(halt.kind != Halt.Kind.OPERATOR for halt in ended):
            again = gettext("The program halts a market again while the cause lasts.")
            self.message_user(request, again, messages.WARNING)
