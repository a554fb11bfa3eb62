"""`manage.py migrate`: one process at a time, retrying while other sessions hold locks.

See docs/migrations.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError
from django.db.migrations import Migration

from tradingsite.migration_session import MigrationSession, migration_session, others_hold_locks

if TYPE_CHECKING:
    from tenacity import RetryCallState

ATTEMPTS = 6
SHORTEST_PAUSE_S = 1


class Command(migrate.Command):
    """Django's command, with short waits for locks, so that it blocks others only briefly."""

    session: MigrationSession

    def handle(self, *args: Any, **options: Any) -> None:
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        # Every command's system checks import this module.
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

        retrying = Retrying(
            retry=retry_if_exception(others_hold_locks),
            wait=wait_exponential(multiplier=SHORTEST_PAUSE_S),  # 1, 2, 4, 8, 16 s
            stop=stop_after_attempt(ATTEMPTS),
            before_sleep=self._announce_retry,
            reraise=True,
        )
        with migration_session(options["database"], self.stdout) as self.session:
            try:
                retrying(self._attempt, *args, **options)
            except OperationalError as error:
                if not others_hold_locks(error):
                    raise
                raise CommandError(
                    f"{self._blocking_sessions(error)}\nGave up; run migrate again."
                ) from error

    def _attempt(self, *args: Any, **options: Any) -> None:
        self.session.limit_lock_waits()
        super().handle(*args, **options)  # skips what earlier attempts have applied

    def migration_progress_callback(
        self,
        action: str,
        migration: Migration | None = None,
        fake: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> None:
        super().migration_progress_callback(action, migration, fake)
        if migration is None or fake or not _is_concurrent(migration):
            return
        if action == "apply_start":
            self._drop_unfinished(migration)
        # Building an index concurrently blocks no other session while it waits.
        self.session.limit_lock_waits(limited=action.endswith("_success"))

    def _drop_unfinished(self, migration: Migration) -> None:
        """Drop an index that an interrupted run left behind: invalid, or not recorded as applied."""
        names = [op.index.name for op in migration.operations if isinstance(op, AddIndexConcurrently)]
        with self.session.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.session.ops.quote_name(name)}")

    def _announce_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.stdout.write(
            f"\n{self._blocking_sessions(error)}\n"
            f"Trying again in {state.upcoming_sleep:.0f} s; {state.attempt_number} of {ATTEMPTS} tries made."
        )
        self.stdout.flush()

    def _blocking_sessions(self, error: BaseException | None) -> str:
        transactions = self.session.long_transactions() or ["no such long transaction is open any more"]
        reason = str(error).splitlines()[0]
        return "\n  ".join([f"Another session holds a lock that is needed here ({reason}):", *transactions])


def _is_concurrent(migration: Migration) -> bool:
    concurrent = (AddIndexConcurrently, RemoveIndexConcurrently)
    return not migration.atomic and all(isinstance(op, concurrent) for op in migration.operations)
