"""The registered settings, each with type, limits, default and unit, and the rules between several of them.

The project registers its keys once, in an `AppConfig.ready()`. Unregistered keys hold plain text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from sysconfig.errors import ChangeRefused, ConcurrentChange, InvalidConfigValue, UnreadableConfig
from sysconfig.value_types import BOOL, INTEGER, NUMBER, TEXT, InvalidValue, Items, Limits, ValueType

__all__ = [
    "BOOL",
    "INTEGER",
    "KEY_MAX_LENGTH",
    "NUMBER",
    "TEXT",
    "ChangeRefused",
    "ConcurrentChange",
    "ConfigKey",
    "InvalidConfigValue",
    "Items",
    "Riskier",
    "Rule",
    "UnreadableConfig",
    "broken_rules",
    "check_rules",
    "find",
    "partners",
    "raises_risk",
    "register",
    "registered",
    "rules",
    "text_of",
]
T = TypeVar("T")
Riskier = Literal["", "higher", "lower", "added"]

KEY_MAX_LENGTH = 100


@dataclass(frozen=True, eq=False)
class ConfigKey(Generic[T]):
    """One registered setting.

    Attributes:
        limits: inclusive, of the number, of the number of entries, or of the number of characters.
        riskier: which change raises the risk: a higher value (of a bool: true), a lower one, or an added
            entry.
    """

    name: str
    value_type: ValueType[T]
    default: T
    limits: Limits | None = None
    unit: StrOrPromise = ""
    group: StrOrPromise = ""
    help: StrOrPromise = ""
    riskier: Riskier = ""

    def __post_init__(self) -> None:
        self.clean(self.default)

    def clean(self, value: object) -> T:
        """Convert `value`, typed or as text, to the type of this key. Raises InvalidConfigValue."""
        try:
            return self._checked(value if isinstance(value, str) else self.value_type.format(value))
        except InvalidValue as refused:
            raise InvalidConfigValue(self.name, value, refused.rule) from None

    def format(self, value: object) -> str:
        return self.value_type.format(self.clean(value))

    def read(self, text: str | None) -> T:
        """Return the value of a stored text (None: no row). Raises UnreadableConfig."""
        if text is None:
            raise UnreadableConfig(self.name, text, "every registered key has one after migrate")
        try:
            return self._checked(text)
        except InvalidValue as refused:
            raise UnreadableConfig(self.name, text, refused.rule) from None

    def is_default(self, text: str) -> bool:
        """Return whether a stored text means the default, however it is spelled."""
        try:
            return bool(self.read(text) == self.default)
        except UnreadableConfig:
            return False

    def raises_risk(self, old_text: str | None, new_text: str) -> bool:
        """Return whether replacing `old_text` (None: no row) by the valid `new_text` raises the risk.

        If the stored text of a risky key is unreadable, any change counts: the direction is unknown.
        """
        if not self.riskier:
            return False
        new: Any = self.clean(new_text)
        try:
            old: Any = self.read(old_text)
        except UnreadableConfig:
            return True
        if self.riskier == "added":
            return bool(set(new) - set(old))
        return bool(new > old if self.riskier == "higher" else new < old)

    def _checked(self, text: str) -> T:
        value = self.value_type.parse(text)
        self.value_type.check(value, self.limits)
        return value


@dataclass(frozen=True, eq=False)
class Rule:
    """A condition between several keys.

    `holds` gets their values in the order of `keys`; `text` may contain them as `%(key)s`. While the rule is
    broken the first key cannot be used; the other keys are what it is compared with.
    """

    keys: tuple[ConfigKey[Any], ...]
    holds: Callable[..., bool]
    text: StrOrPromise

    def broken_by(self, values: Mapping[str, Any]) -> str | None:
        """Return the rule in words if `values` (by key name) break it, else None."""
        if self.holds(*(values[key.name] for key in self.keys)):
            return None
        return str(self.text) % {key.name: key.value_type.format(values[key.name]) for key in self.keys}


_keys: dict[str, ConfigKey[Any]] = {}
_rules: list[Rule] = []


def register(keys: Iterable[ConfigKey[Any]], rules: Iterable[Rule] = ()) -> None:
    """Add keys and rules. Raises ValueError for a repeated name, or a default that breaks a rule."""
    for key in keys:
        if _keys.setdefault(key.name, key) is not key:
            raise ValueError(f"config key {key.name} is registered twice")
    for rule in rules:
        broken = rule.broken_by({key.name: key.default for key in rule.keys})
        if broken:
            raise ValueError(f"the defaults break a rule: {broken}")
        _rules.append(rule)


def registered() -> tuple[ConfigKey[Any], ...]:
    """Return all registered keys, in the order of registration."""
    return tuple(_keys.values())


def find(name: str) -> ConfigKey[Any] | None:
    return _keys.get(name)


def rules() -> tuple[Rule, ...]:
    return tuple(_rules)


def check_rules(changed: Mapping[str, str], stored: Mapping[str, str]) -> None:
    for refused in broken_rules(changed, stored):
        raise refused


def broken_rules(changed: Mapping[str, str], stored: Mapping[str, str]) -> Iterator[InvalidConfigValue]:
    """Yield an error for each rule that the valid texts in `changed` break, given those in `stored`.

    A rule is skipped if another of its texts is unreadable; it is checked when that one is repaired.
    """
    for rule in _rules:
        culprit = next((key.name for key in rule.keys if key.name in changed), None)
        if culprit is None:
            continue
        try:
            broken = rule.broken_by(
                {key.name: key.read({**stored, **changed}.get(key.name)) for key in rule.keys}
            )
        except UnreadableConfig:
            continue
        if broken:
            yield InvalidConfigValue(culprit, changed[culprit], broken)


def partners(names: Iterable[str]) -> set[str]:
    """Return `names` and every key that shares a rule with one of them."""
    found = set(names)
    return found.union(
        *({key.name for key in rule.keys} for rule in _rules if found & {key.name for key in rule.keys})
    )


def raises_risk(name: str, old_text: str | None, new_text: str) -> bool:
    """Return whether this change of `name` raises the risk; see `ConfigKey.raises_risk`."""
    key = find(name)
    return key is not None and key.raises_risk(old_text, new_text)


def text_of(name: str, value: object) -> str:
    """Return the text to store for `value`; an unregistered key accepts any text."""
    if not 1 <= len(name) <= KEY_MAX_LENGTH:
        raise InvalidConfigValue(name, value, _("a key has 1 to 100 characters"))
    key = find(name)
    if key is not None:
        return key.format(value)
    if not isinstance(value, str):
        raise InvalidConfigValue(name, value, _("must be text: the key is not registered"))
    if not _can_be_stored(name + value):
        raise InvalidConfigValue(name, value, _("no NUL and no half of a character can be stored"))
    return value


def _can_be_stored(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
