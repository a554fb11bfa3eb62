"""Admin page that lists the processes and which version of the configuration each of them uses."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connections, router
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.moments import utc_html
from sysconfig.push.processes import ConfigProcess


class ProcessRow(NamedTuple):
    """`behind_since` is when the first change was made that the process lacks; None when it has all."""

    process: ConfigProcess
    started: SafeString
    since: SafeString
    living: bool
    behind_since: SafeString | None


def context() -> dict[str, Any]:
    now = _version_now()
    living = set(ConfigProcess.objects.living().values_list("pk", flat=True))
    rows = [_row(process, now, living=process.pk in living) for process in ConfigProcess.objects.all()]
    return {"title": _("Processes"), "version": now, "rows": rows}


def _row(process: ConfigProcess, now: str, *, living: bool) -> ProcessRow:
    behind = None if process.fingerprint == now else utc_html(_first_after(process.since))
    return ProcessRow(process, utc_html(process.started_at), utc_html(process.since), living, behind)


def _version_now() -> str:
    with connections[router.db_for_read(SystemConfig)].cursor() as cursor:
        cursor.execute("SELECT system_config_fingerprint()")
        return str(cursor.fetchone()[0])


def _first_after(taken: datetime) -> datetime:
    """Return when the first change after `taken` was made."""
    younger = SystemConfigChange.objects.filter(at__gt=taken).order_by("at").values_list("at", flat=True)
    return younger.first() or taken
