"""Halt and resume by hand. A halt is made and ended, never edited or deleted."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from healthcheck.read_only_admin import AppendOnlyAdmin
from tradingsite.risk import halts
from tradingsite.risk.models import Halt


class HaltForm(forms.ModelForm[Halt]):
    class Meta:
        model = Halt
        fields = ("reason",)
        help_texts = {
            "reason": _("Stops new buys of all markets at once, until an operator ends it. Sells go on.")
        }

    def clean(self) -> None:
        """Refuse a second halt, whose maker would not notice that the first one's maker ended it."""
        super().clean()
        halt = halts.by_operators().first()
        if halt is not None:
            raise forms.ValidationError(_already_halted(halt))


@admin.register(Halt)
class HaltAdmin(AppendOnlyAdmin[Halt]):
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
    actions = ("end_now",)

    @admin.display(description=_("market"), ordering="market")
    def where(self, halt: Halt) -> str:
        return halt.market or gettext("all markets")

    @admin.display(description=_("reason"))
    def why(self, halt: Halt) -> str:
        return halt.explanation()

    @admin.display(description=_("open"), boolean=True)
    def is_open(self, halt: Halt) -> bool:
        return halt.ended_at is None

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        once = {
            "title": gettext("Halt now"),
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        return super().add_view(request, form_url, {**once, **(extra_context or {})})

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("risk.change_halt")

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
            # Another operator was faster by a moment: new buys are halted all the same.
            made = error.halt
            self.message_user(request, _already_halted(made), messages.WARNING)
        obj.pk = made.pk
        obj.refresh_from_db()

    @admin.action(description=_("End the selected halts now"), permissions=["end"])
    def end_now(self, request: HttpRequest, queryset: Any) -> None:
        name = request.user.get_username()
        ended = [halt for halt in queryset if halts.end(halt, name)]
        for halt in ended:
            self.log_change(request, halt, gettext("Ended."))
        text = ngettext("%(count)d halt ended.", "%(count)d halts ended.", len(ended)) % {"count": len(ended)}
        self.message_user(request, text)
        if any(halt.kind != Halt.Kind.OPERATOR for halt in ended):
            again = gettext("The program halts a market again while the cause lasts.")
            self.message_user(request, again, messages.WARNING)


def _already_halted(halt: Halt) -> str:
    facts = {"who": halt.made_by, "reason": halt.reason}
    return gettext("New buys are already halted by %(who)s: %(reason)s") % facts
