"""Which scheduler leads, and which stand by: the heartbeat row of the leader, and a row for each process.

See docs/scheduler.md, R3 and R6.
"""

import uuid
from datetime import datetime, timedelta

from django.db import connections, models
from django.db.models import Value
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# One statement, so that two processes that both believe they hold the lock get different epochs.
_TAKE_OVER = """
INSERT INTO scheduler_heartbeat AS h (id, holder, pid, lock_pid, epoch, acquired_at, heartbeat_at)
SELECT 1, %s, %s, %s, 1, moment, moment FROM clock_timestamp() AS moment
ON CONFLICT (id) DO UPDATE SET
    epoch = h.epoch + 1, holder = excluded.holder, pid = excluded.pid, lock_pid = excluded.lock_pid,
    acquired_at = excluded.acquired_at, heartbeat_at = excluded.heartbeat_at, last_loop_at = NULL
RETURNING h.*
"""
# Not `bulk_create`: it would send three statements, every few seconds from every process.
_SEEN = """
INSERT INTO scheduler_process (id, host, pid, backend_pid, role, started_at, seen_at)
VALUES (%s, %s, %s, %s, %s, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET
    backend_pid = excluded.backend_pid, role = excluded.role, seen_at = excluded.seen_at
"""
# A process is gone when its database session is, or when it has been silent for too long.
_SEEN_AND_PRUNE = f"""
WITH gone AS (
    DELETE FROM scheduler_process p
    WHERE p.id <> %s AND (
        p.seen_at < clock_timestamp() - make_interval(secs => %s)
        OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = p.backend_pid)
    )
) {_SEEN}
"""  # noqa: S608 - both are ours


class SchedulerHeartbeatQuerySet(models.QuerySet["SchedulerHeartbeat"]):
    """The only row, written only by the process that holds the scheduler's lock."""

    def take_over(self, holder: str, pid: int, lock_pid: int | None = None) -> "SchedulerHeartbeat":
        """Make this process the leader under a new epoch; return the row.

        Args:
            holder: the name of the host.
            pid: the process on it.
            lock_pid: the backend pid of the session that holds the lock. A standby may end that session if
                the
                leader freezes; None: it may not.
        """
        (row,) = self.raw(_TAKE_OVER, [holder, pid, lock_pid])
        return row

    def beat(self, leader: "SchedulerHeartbeat", loop_age: timedelta) -> bool:
        """Write a heartbeat with the age of the last turn of the loop; False after another has taken over."""
        mine = self.filter(pk=1, epoch=leader.epoch)
        return bool(mine.update(heartbeat_at=Now(), last_loop_at=Now() - Value(loop_age)))

    def by_the_clock(self) -> "tuple[SchedulerHeartbeat | None, datetime]":
        """Return the row, None when no scheduler ever led, and the database's time of this answer."""
        row = self.filter(pk=1).annotate(read_at=Now()).first()
        return row, getattr(row, "read_at", None) or timezone.now()


class SchedulerHeartbeat(models.Model):
    """The leader, and since when. `epoch` counts the changes of leader; 0 is before the first."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    holder = models.CharField(_("host"), max_length=255)
    pid = models.IntegerField(_("process"))
    epoch = models.BigIntegerField(_("epoch"), default=0, db_default=0)
    lock_pid = models.IntegerField(_("lock session"), null=True)
    acquired_at = models.DateTimeField(_("leads since"))
    heartbeat_at = models.DateTimeField(_("heartbeat"))
    last_loop_at = models.DateTimeField(_("last turn of the loop"), null=True)

    objects = SchedulerHeartbeatQuerySet.as_manager()

    class Meta:
        app_label = "jobs"
        db_table = "scheduler_heartbeat"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_scheduler_heartbeat")]

    def __str__(self) -> str:
        return f"{self.holder}:{self.pid}"


class SchedulerProcessQuerySet(models.QuerySet["SchedulerProcess"]):
    def seen(self, process: "SchedulerProcess") -> None:
        """Record that `process` is alive, in its present role."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(_SEEN, _row(process))

    def seen_and_prune(self, process: "SchedulerProcess", silent_for: timedelta) -> None:
        """Do what `seen` does, and delete the rows of processes that are gone, in one statement.

        For the leader. A process that was only silent writes its row again.
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(_SEEN_AND_PRUNE, [process.id, silent_for.total_seconds(), *_row(process)])


def _row(process: "SchedulerProcess") -> list[uuid.UUID | int | str | None]:
    return [process.id, process.host, process.pid, process.backend_pid, process.role]


class SchedulerProcess(models.Model):
    class Role(models.TextChoices):
        LEADER = "leader", _("leader")
        STANDBY = "standby", _("standby")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(_("host"), max_length=255)
    pid = models.IntegerField(_("process"))
    backend_pid = models.IntegerField(
        _("lock session"), null=True, help_text=_("The database's process that serves its lock.")
    )
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    seen_at = models.DateTimeField(_("seen at"), db_default=Now())
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.STANDBY)

    objects = SchedulerProcessQuerySet.as_manager()

    class Meta:
        app_label = "jobs"
        db_table = "scheduler_process"
        ordering = ("role", "started_at")
        verbose_name = _("scheduler process")
        verbose_name_plural = _("scheduler processes")

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
