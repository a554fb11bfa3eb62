"""Two people edit one setting: what happened to the row since the second one's form was filled."""

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
        """Return what `token` says, or None when it is no valid one."""
        try:
            return cls(*signing.loads(token, salt=_SALT))
        except signing.BadSignature:
            return None

    @property
    def token(self) -> str:
        """What a form carries: signed and encoded, since a browser rewrites line ends."""
        return signing.dumps(list(self), salt=_SALT, compress=True)


class Conflict(NamedTuple):
    """The row is no longer what the form was rendered with. `base` is None when the form did not say."""

    base: FormBase | None
    stored: FormBase
    changes: Sequence[cells.ChangeRow]


def find_conflict(base: FormBase | None, row: SystemConfig) -> Conflict | None:
    """Compare a form's base with its row, which must be locked. None: they are the same."""
    stored = FormBase.of(row)
    return None if base == stored else Conflict(base, stored, _since(base, stored.key))


def _since(base: FormBase | None, key: str) -> list[cells.ChangeRow]:
    """Return the key's changes since it had the base's value, newest first."""
    if base is None:
        return []
    newest = SystemConfigChange.objects.of(key)[:_SHOWN]
    since = takewhile(lambda change: (change.key, change.new_value) != (base.key, base.value), newest)
    return [cells.row(change) for change in since]
