"""Finds the setting, group or change named in a command line, and suggests similar names."""

from collections.abc import Sequence
from difflib import get_close_matches

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from sysconfig import registry, snapshot
from sysconfig.changes import CannotRevert, SystemConfigChange
from sysconfig.models import SystemConfig
from sysconfig.registry import ConcurrentChange, InvalidConfigValue, UnreadableConfig


class UnknownName(Exception):
    """`exit_status` is 2 for a wrong group, as for other wrong arguments, else 1."""

    def __init__(self, text: str, exit_status: int = 1) -> None:
        super().__init__(text)
        self.exit_status = exit_status


def rows(group: str | None, *, changed: bool) -> list[SystemConfig]:
    """Return rows in the order of registration, unregistered ones last."""
    places = {key.name: place for place, key in enumerate(registry.registered())}
    found = sorted(SystemConfig.objects.all(), key=lambda row: (places.get(row.key, len(places)), row.key))
    if group is not None:
        found = [row for row in found if row.key in _keys_of(group)]
    return [row for row in found if not changed or row.differs_from_default is not False]


def _keys_of(group: str) -> set[str]:
    names = _groups()
    if group.casefold() not in names:
        known = ", ".join(dict.fromkeys(str(key.group) for key in registry.registered()))
        raise UnknownName(
            _("there is no group %(group)s; there are: %(known)s") % {"group": group, "known": known}, 2
        )
    return names[group.casefold()]


def _groups() -> dict[str, set[str]]:
    """Return the keys of each group, by its name in English and in the active language."""
    groups: dict[str, set[str]] = {}
    for key in registry.registered():
        with override("en"):
            english = str(key.group)
        for name in {english, str(key.group)}:
            groups.setdefault(name.casefold(), set()).add(key.name)
    return groups


def problems() -> dict[str, str]:
    return snapshot.problems(dict(SystemConfig.objects.values_list("key", "value")))


def row(key: str) -> SystemConfig:
    found = SystemConfig.objects.filter(key=key).first()
    if found is None:
        raise UnknownName(_("%(key)s has no row.%(guess)s") % {"key": key, "guess": guess(key)})
    return found


def changes(key: str | None) -> QuerySet[SystemConfigChange]:
    history = SystemConfigChange.objects.all()
    if key is None:
        return history
    of_key = history.of(key)
    if not of_key.exists() and registry.find(key) is None:
        row(key)
    return of_key


def change(number: int) -> SystemConfigChange:
    """Return a change that can be reverted now. Raises CannotRevert."""
    found = SystemConfigChange.objects.filter(pk=number).first()
    if found is None:
        raise CannotRevert.unknown(number)
    if found.action == found.Action.UPDATE and not SystemConfig.objects.filter(key=found.key).exists():
        raise CannotRevert.row_gone(found)
    return found


def defaults(names: Sequence[str]) -> dict[str, object]:
    """Return the default of each key. Raises one UnknownName that lists all unregistered keys."""
    keys = {name: registry.find(name) for name in names}
    if unknown := [name for name, key in keys.items() if key is None]:
        text = _("%(key)s is not registered: it has no default.%(guess)s")
        raise UnknownName("\n".join(text % {"key": name, "guess": guess(name)} for name in unknown))
    return {name: key.default for name, key in keys.items() if key is not None}


def require_value(key: str, expected: str, stored: str | None) -> None:
    """Raise ConcurrentChange unless the stored value equals the expected one, however it is spelled."""
    if stored != expected and not _same(key, expected, stored):
        raise ConcurrentChange(key, expected, stored)


def _same(key: str, expected: str, stored: str | None) -> bool:
    known = registry.find(key)
    try:
        return known is not None and bool(known.clean(expected) == known.read(stored))
    except (InvalidConfigValue, UnreadableConfig):
        return False


def guess(key: str) -> str:
    """Return a sentence that suggests the most similar registered key, or ""."""
    close = get_close_matches(key, [known.name for known in registry.registered()], n=1)
    return " " + _("Did you mean %(key)s?") % {"key": close[0]} if close else ""
