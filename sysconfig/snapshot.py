"""All registered values of one moment, read together and immutable."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from sysconfig import registry
from sysconfig.registry import ConfigKey, Rule, UnreadableConfig

T = TypeVar("T")


class ConfigSnapshot:
    """The registered values of one committed state.

    Looking up a value that cannot be read raises `UnreadableConfig`, so that a broken row stops only what
    depends on it. The same holds for the first key of a rule that the rows break.
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
    """Return, by key, why a stored text cannot be used."""
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
    """Return an error for the first key of each rule that is broken or cannot be checked."""
    broken: dict[str, UnreadableConfig] = {}
    for rule in registry.rules():
        first = rule.keys[0].name
        why = _reason_unusable(rule, values)
        if why and not isinstance(values[first], UnreadableConfig):
            broken[first] = UnreadableConfig(first, texts[first], why)
    return broken


def _reason_unusable(rule: Rule, values: Mapping[str, Any]) -> str | None:
    for key in rule.keys:
        if isinstance(values[key.name], UnreadableConfig):
            return f"can't be compared with {key.name}, which is unreadable"
    return rule.broken_by(values)
