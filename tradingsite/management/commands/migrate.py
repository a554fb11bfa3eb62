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
    """Django's, one at a time in a database, and in nobody's way for long. docs/migrations.md."""

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
            before_sleep=self._say_when,
            reraise=True,
        )
        with migration_session(options["database"], self.stdout) as self.session:
            try:
                retrying(self._attempt, *args, **options)
            except OperationalError as error:
                if not others_hold_locks(error):
                    raise
                raise CommandError(f"{self._what_happened(error)}\nGiven up; migrate again.") from error

    def _attempt(self, *args: Any, **options: Any) -> None:
        self.session.limit_lock_waits()
        super().handle(*args, **options)  # what the attempt before has applied, it leaves out

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
        # It blocks nobody while it waits for the transactions before it.
        self.session.limit_lock_waits(limited=action.endswith("_success"))

    def _drop_unfinished(self, migration: Migration) -> None:
        """Drop what a run that was cut off has left: an index that is invalid, or not recorded as made."""
        names = [op.index.name for op in migration.operations if isinstance(op, AddIndexConcurrently)]
        with self.session.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.session.ops.quote_name(name)}")

    def _say_when(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.stdout.write(
            f"\n{self._what_happened(error)}\n"
            f"Trying again in {state.upcoming_sleep:.0f} s; {state.attempt_number} of {ATTEMPTS} tries made."
        )
        self.stdout.flush()

    def _what_happened(self, error: BaseException | None) -> str:
        transactions = self.session.long_transactions() or ["no transaction is open that long any more"]
        reason = str(error).splitlines()[0]
        return "\n  ".join([f"Another session holds a lock that is needed here ({reason}):", *transactions])


def _is_concurrent(migration: Migration) -> bool:
    concurrent = (AddIndexConcurrently, RemoveIndexConcurrently)
    return not migration.atomic and all(isinstance(op, concurrent) for op in migration.operations)
