"""Errors: a change was rejected, or a stored value cannot be used."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

_SHOWN = 80  # characters of an invalid value that an error message repeats


class ChangeRefused(ValidationError):
    def __str__(self) -> str:
        return str(self.messages[0])


class InvalidConfigValue(ChangeRefused):
    def __init__(self, key: str, value: object, rule: StrOrPromise) -> None:
        self.key, self.value, self.rule = key, value, rule
        params = {"key": key, "value": repr(value)[:_SHOWN], "rule": rule}
        super().__init__(_("%(key)s: %(value)s is refused: %(rule)s"), code="refused", params=params)


class ConcurrentChange(ChangeRefused):
    """Somebody changed the row meanwhile. `expected` and `stored` are None for "no row"."""

    def __init__(self, key: str, expected: str | None, stored: str | None) -> None:
        self.key, self.expected, self.stored = key, expected, stored
        params = {"key": key, "expected": _row(expected), "stored": _row(stored)}
        super().__init__(
            _("%(key)s was changed meanwhile: it is %(stored)s, no longer %(expected)s"),
            code="changed_meanwhile",
            params=params,
        )


class UnreadableConfig(Exception):
    """A registered key has no valid row. There is no fallback value: the reader must stop."""

    def __init__(self, key: str, text: str | None, rule: StrOrPromise) -> None:
        self.key, self.text, self.rule = key, text, rule
        holds = "has no row" if text is None else f"holds {text[:_SHOWN]!r}"
        super().__init__(f"system_config: {key} {holds}: {rule}")


def _row(text: str | None) -> StrOrPromise:
    return _("without a row") if text is None else repr(text)[:_SHOWN]
