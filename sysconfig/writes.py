"""The write methods of `SystemConfig.objects`, which validate every change, lock its rows and record it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from django.db import IntegrityError, models, router, transaction

from sysconfig import registry
from sysconfig.authorship import attributed
from sysconfig.changes import CannotRevert, SystemConfigChange
from sysconfig.registry import ConcurrentChange

if TYPE_CHECKING:
    from sysconfig.models import SystemConfig

Expected = Mapping[str, str | None]


class SystemConfigQuerySet(models.QuerySet["SystemConfig"]):
    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the rows. Raises ProtectedError if one of their keys is registered."""
        self._for_write = True
        with attributed(self.db):
            return super().delete()


class ConfigWriter(models.Manager["SystemConfig"]):
    """Writes values that the registry allows. The history names the author set by `attributed_to`."""

    def get_queryset(self) -> SystemConfigQuerySet:
        return SystemConfigQuerySet(self.model, using=self._db)

    def set_value(self, key: str, value: object) -> None:
        """Store `value`, a typed value or its text. A key without a row gets one.

        Raises:
            InvalidConfigValue: the value is outside its limits, or breaks a rule that involves other keys.
        """
        self.set_values({key: value})

    def set_values(
        self, changes: Mapping[str, object], *, expected: Expected | None = None
    ) -> "list[SystemConfig]":
        """Store all of the values or none, and return their rows. Rules are checked on the resulting values.

        `expected` maps keys to the stored texts that the caller has read, None for a key without a row. They
        are compared once the rows are locked, so that a change made since then is not overwritten.

        Raises:
            InvalidConfigValue: a value is outside its limits, or breaks a rule that involves other keys.
            ConcurrentChange: a row differs from `expected`.
        """
        texts = {key: registry.text_of(key, value) for key, value in changes.items()}
        alias = router.db_for_write(self.model)
        with attributed(alias):
            rows = self._locked_or_added(texts, expected or {}, alias)
            registry.check_rules(texts, {key: row.value for key, row in rows.items()})
            for key, text in texts.items():
                rows[key].replace_value(text, alias)
        return [rows[key] for key in texts]

    def _locked_or_added(
        self, texts: Mapping[str, str], expected: Expected, alias: str
    ) -> "dict[str, SystemConfig]":
        """Lock the rows, and add the missing rows of `texts`. Raises ConcurrentChange."""
        keys = {*texts, *expected}
        rows = self.locked(keys, alias)
        _check_expected(expected, rows)
        missing = sorted(texts.keys() - rows)  # sorted, so that two writers of the same keys cannot deadlock
        if not missing:
            return rows
        added = {key for key in missing if self._add(key, texts[key], alias)}
        rows = self.locked(keys, alias)
        _check_expected({key: text for key, text in expected.items() if key not in added}, rows)
        for key in texts.keys() - rows:  # another writer added the row and then deleted it
            raise ConcurrentChange(key, texts[key], None)
        return rows

    def _add(self, key: str, text: str, alias: str) -> bool:
        """Add a row and return True; return False if another writer added it first.

        In that case it returns once the other writer's transaction has ended.
        """
        try:
            with transaction.atomic(using=alias):
                self.using(alias).bulk_create([self.model(key=key, value=text)])
        except IntegrityError:
            return False
        return True

    def revert(self, change_id: int, *, expected: Expected | None = None) -> "SystemConfig":
        """Set the value back to the one before a recorded change, as a new change. Return the row.

        Raises:
            CannotRevert: there is no such change, there was no value before it, or its key no longer has a
                row.
            InvalidConfigValue: the current limits or rules forbid the old value.
            ConcurrentChange: the row differs from `expected`.
        """
        alias = router.db_for_write(self.model)
        with transaction.atomic(using=alias):
            change = SystemConfigChange.objects.using(alias).filter(pk=change_id).first()
            if change is None:
                raise CannotRevert.unknown(change_id)
            text = change.text_before()
            if change.action == change.Action.UPDATE and change.key not in self.locked([change.key], alias):
                raise CannotRevert.row_gone(change)
            return self.set_values({change.key: text}, expected=expected)[0]

    def locked(self, keys: Iterable[str], alias: str) -> "dict[str, SystemConfig]":
        """Lock the rows of `keys` and of all keys that share a rule with them, always in the same order."""
        rows = self.using(alias).filter(key__in=registry.partners(keys)).order_by("key").select_for_update()
        return {row.key: row for row in rows}


def _check_expected(expected: Expected, rows: "Mapping[str, SystemConfig]") -> None:
    for key, text in expected.items():
        stored = rows[key].value if key in rows else None
        if stored != text:
            raise ConcurrentChange(key, text, stored)
