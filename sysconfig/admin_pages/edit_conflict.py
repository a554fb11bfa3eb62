"""Detects an edit conflict: somebody changed the setting after this form was opened (optimistic locking)."""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from django.core import signing

from sysconfig.admin_pages import cells
from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig

_SALT = "sysconfig.base"
_SHOWN = 10  # changes


class FormBase(NamedTuple):
    """The row as it was when its form was rendered."""

    key: str
    value: str
    description: str

    @classmethod
    def of(cls, row: SystemConfig) -> "FormBase":
        return cls(row.key, row.value, row.description or "")

    @classmethod
    def read(cls, token: str) -> "FormBase | None":
        """Return the content of `token`; None when its signature is invalid."""
        try:
            return cls(*signing.loads(token, salt=_SALT))
        except signing.BadSignature:
            return None

    @property
    def token(self) -> str:
        """The hidden field of the form. It is encoded, since browsers rewrite line ends, and signed."""
        return signing.dumps(list(self), salt=_SALT, compress=True)


class Conflict(NamedTuple):
    """The row differs from what the form was opened with. `base` is None when the form had no valid token."""

    base: FormBase | None
    stored: FormBase
    changes: Sequence[cells.ChangeRow]


def find_conflict(base: FormBase | None, row: SystemConfig) -> Conflict | None:
    """Compare the base of a form with its row, which must be locked. None: they are equal."""
    stored = FormBase.of(row)
    return None if base == stored else Conflict(base, stored, _since(base, stored.key))


def _since(base: FormBase | None, key: str) -> list[cells.ChangeRow]:
    """Return the key's changes since it had the base's value, newest first."""
    if base is None:
        return []
    newest = SystemConfigChange.objects.of(key)[:_SHOWN]
    since = takewhile(lambda change: (change.key, change.new_value) != (base.key, base.value), newest)
    return [cells.row(change) for change in since]
