"""Admin page that reverts one change, after showing what that changes now."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from sysconfig.admin_pages import confirmation
from sysconfig.admin_pages.confirmation import Unconfirmed
from sysconfig.authorship import as_operator
from sysconfig.change_plan import Step
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.registry import ChangeRefused


def revert_view(site: AdminSite, request: HttpRequest, change_id: int) -> HttpResponse:
    """Show old → new; once confirmed restore the value, or say why that is not possible."""
    if not request.user.has_perm("sysconfig.change_systemconfig"):
        raise PermissionDenied
    change = get_object_or_404(SystemConfigChange, pk=change_id)
    back = HttpResponseRedirect(_history(change))
    if request.method != "POST":  # the login page redirects here with GET
        return back
    try:
        step = _revert(site, request, change)
    except Unconfirmed as unconfirmed:
        return confirmation.page(request, unconfirmed.steps, _page_context(site, request, change))
    except ChangeRefused as refused:
        messages.error(request, _("Not reverted. %(why)s") % {"why": refused})
        return back
    if step.old == step.new:
        messages.info(request, _("%(key)s is %(value)s already.") % {"key": step.key, "value": step.new})
    else:
        messages.success(request, _("Reverted. %(key)s: %(old)s → %(new)s") % step._asdict())
    return back


def _revert(site: AdminSite, request: HttpRequest, change: SystemConfigChange) -> Step:
    alias = router.db_for_write(SystemConfig)
    with as_operator(request), transaction.atomic(using=alias):
        before = SystemConfig.objects.locked([change.key], alias).get(change.key)
        row = SystemConfig.objects.revert(change.pk)
        step = Step(row.key, before.value if before else None, row.value)
        if step.old != step.new:
            confirmation.require(request, [step])
            _log(site, request, row, step)
    return step


def _log(site: AdminSite, request: HttpRequest, row: SystemConfig, step: Step) -> None:
    fields = [f"{step.old} → {step.new}", gettext_noop("reverted")]
    site.get_model_admin(SystemConfig).log_change(request, row, [{"changed": {"fields": fields}}])


def _history(change: SystemConfigChange) -> str:
    """Return the URL of the key's history; without a row that is the list of changes, filtered."""
    pk = SystemConfig.objects.filter(key=change.key).values_list("pk", flat=True).first()
    if pk is None:
        return reverse("admin:sysconfig_systemconfigchange_changelist", query={"key": change.key})
    return reverse("admin:sysconfig_systemconfig_history", args=[pk])


def _page_context(site: AdminSite, request: HttpRequest, change: SystemConfigChange) -> dict[str, Any]:
    return {
        **site.each_context(request),
        "opts": site.get_model_admin(SystemConfigChange).opts,
        "title": _("Revert a change of %(key)s") % {"key": change.key},
        "back": _history(change),
        "change": change,
    }
