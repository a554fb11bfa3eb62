"""Records which version of the configuration each process uses: one row for each process that listens."""

import os
import socket
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.db import models
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _
from psycopg import Connection

# A process lives as long as its listening session. A pid alone may have been reused.
_LISTENS = """EXISTS (
    SELECT FROM pg_stat_activity AS session
    WHERE session.pid = system_config_process.backend_pid
    AND session.backend_start = system_config_process.backend_start
)"""
_PRUNE = f"DELETE FROM system_config_process WHERE NOT {_LISTENS}"  # noqa: S608 - a constant
_FORGET = "DELETE FROM system_config_process WHERE id = %s"
_RECORD = """
INSERT INTO system_config_process AS known
    (id, host, pid, role, started_at, backend_pid, backend_start, fingerprint, since)
SELECT %(id)s, %(host)s, %(pid)s, %(role)s, %(started_at)s,
       session.pid, session.backend_start, %(fingerprint)s, clock_timestamp()
FROM pg_stat_activity AS session WHERE session.pid = pg_backend_pid()
ON CONFLICT (id) DO UPDATE SET
    backend_pid = excluded.backend_pid, backend_start = excluded.backend_start,
    fingerprint = excluded.fingerprint,
    since = CASE WHEN known.fingerprint = excluded.fingerprint THEN known.since ELSE excluded.since END
"""


class Process(NamedTuple):
    id: UUID
    host: str
    pid: int
    role: str
    started_at: datetime


class ConfigProcessQuerySet(models.QuerySet["ConfigProcess"]):
    def living(self) -> "ConfigProcessQuerySet":
        """Return the processes whose listening session still exists."""
        return self.filter(RawSQL(_LISTENS, (), output_field=models.BooleanField()))  # noqa: S611 - a constant


class ConfigProcess(models.Model):
    """One process, and the version (`system_config_fingerprint()`) of the configuration that it uses."""

    id = models.UUIDField(primary_key=True)
    host = models.TextField(_("host"))
    pid = models.IntegerField(_("process"))
    role = models.TextField(_("role"))
    backend_pid = models.IntegerField(_("database session"))
    backend_start = models.DateTimeField(_("session since"))
    started_at = models.DateTimeField(_("started at"))
    fingerprint = models.TextField(_("version"))
    since = models.DateTimeField(_("version since"))

    objects = ConfigProcessQuerySet.as_manager()

    class Meta:
        db_table = "system_config_process"
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        default_permissions = ()  # the permissions of the settings apply
        ordering = ["role", "host", "pid"]

    def __str__(self) -> str:
        return f"{self.role} ({self.host} {self.pid})"


def this_process(process_id: UUID, started_at: datetime) -> Process:
    return Process(process_id, socket.gethostname(), os.getpid(), role_of(sys.argv), started_at)


def role_of(argv: Sequence[str]) -> str:
    """Return how the process was started: `gunicorn`, `manage.py runscheduler`."""
    name = Path(argv[0]).name if argv and argv[0] else "python"
    if name == "__main__.py":  # python -m package
        name = Path(argv[0]).parent.name
    command = next((word for word in argv[1:2] if not word.startswith("-")), "")
    return f"{name} {command}" if command and name in ("manage.py", "django-admin", "django") else name


def record(connection: Connection[Any], process: Process, fingerprint: str) -> None:
    """Store that `process` uses this version. `connection` must be its listening session."""
    connection.execute(_RECORD, process._asdict() | {"fingerprint": fingerprint})


def forget(connection: Connection[Any], process: Process) -> None:
    connection.execute(_FORGET, [process.id])


def prune(connection: Connection[Any]) -> None:
    """Delete the rows of processes whose session has ended."""
    connection.execute(_PRUNE)


def fingerprint(connection: Connection[Any]) -> str:
    """Return the version of the committed configuration: a short text that changes with any row."""
    found = connection.execute("SELECT system_config_fingerprint()").fetchone()
    return str(found[0]) if found else ""
