from collections.abc import Mapping
from typing import Any, TypeVar, cast

from sysconfig import registry
from sysconfig.registry import ConfigKey, Rule, UnreadableConfig

T = TypeVar("T")


class ConfigSnapshot:
    """The registered values that stood together in one committed state. Never changes.

    A value that can't be read raises `UnreadableConfig` when it is looked up, so that one broken row stops
    only what depends on it. The same holds for the first key of a rule that the rows break together.
    """

    __slots__ = ("_values",)

    def __init__(self, texts: Mapping[str, str]) -> None:
        values = {key.name: _read(key, texts.get(key.name)) for key in registry.registered()}
        self._values = values | _broken_by_rules(values, texts)

    def __getitem__(self, key: ConfigKey[T]) -> T:
        value = self._values[key.name]
        if isinstance(value, UnreadableConfig):
            raise value
        return cast("T", value)


def problems(texts: Mapping[str, str]) -> dict[str, str]:
    """Return, by key, why the program can't use what the table's texts say."""
    snapshot = ConfigSnapshot(texts)
    found = {}
    for key in registry.registered():
        try:
            snapshot[key]
        except UnreadableConfig as unreadable:
            found[key.name] = str(unreadable.rule)
    return found


def _read(key: ConfigKey[Any], text: str | None) -> Any:
    try:
        return key.read(text)
    except UnreadableConfig as unreadable:
        return unreadable


def _broken_by_rules(values: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, UnreadableConfig]:
    """Return an error for each key that a broken rule, or one that can't be judged, makes unusable."""
    spoiled: dict[str, UnreadableConfig] = {}
    for rule in registry.rules():
        first = rule.keys[0].name
        why = _why_not(rule, values)
        if why and not isinstance(values[first], UnreadableConfig):
            spoiled[first] = UnreadableConfig(first, texts[first], why)
    return spoiled


def _why_not(rule: Rule, values: Mapping[str, Any]) -> str | None:
    for key in rule.keys:
        if isinstance(values[key.name], UnreadableConfig):
            return f"can't be compared with {key.name}, which is unreadable"
    return rule.broken_by(values)
