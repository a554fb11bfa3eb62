"""System checks: a wrong entry in the health settings is reported at start, not at the first request.

The error ids are listed in docs/health.md, "Adding a probe or a panel".
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from healthcheck.declared import AbilityTask, PanelTask, Place, ProbeTask, Task

Entry = Mapping[str, Any]

_LIMITS = {"timeout_s": "seconds", "ttl_s": "seconds", "ttl_bad_s": "seconds", "slow_ms": "milliseconds"}


@register()
def health_probes(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that each probe has known keys, can be imported, and needs only components listed before it."""
    found: list[CheckMessage] = []
    names: list[str] = []
    for entry in settings.HEALTH_PROBES:
        found += _check_entry("HEALTH_PROBES", entry, ProbeTask, path="probe")
        if entry.get("evidence"):
            found += _check_function("HEALTH_PROBES", entry["evidence"])
        found += _check_needs("HEALTH_PROBES", entry, names)
        if entry.get("name") in names:
            found.append(Error(f"HEALTH_PROBES names {entry['name']!r} twice.", id="healthcheck.E004"))
        names.append(entry.get("name", ""))
    return found


@register()
def health_abilities(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that each ability has known keys, and that its probe and its components exist."""
    names = [entry.get("name", "") for entry in settings.HEALTH_PROBES]
    found: list[CheckMessage] = []
    for entry in settings.HEALTH_ABILITIES:
        found += _check_entry(
            "HEALTH_ABILITIES", entry, AbilityTask, path="probe" if entry.get("probe") else ""
        )
        found += _check_needs("HEALTH_ABILITIES", entry, names)
    return found


@register()
def status_panels(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    names = [entry.get("name", "") for entry in settings.HEALTH_PROBES]
    found: list[CheckMessage] = []
    for entry in settings.STATUS_PANELS:
        found += _check_entry("STATUS_PANELS", entry, PanelTask, path="context")
        found += _check_needs("STATUS_PANELS", entry, names)
    return found


@register()
def metric_sources(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return [error for path in settings.METRIC_SOURCES for error in _check_function("METRIC_SOURCES", path)]


def _check_entry(setting: str, entry: Entry, task: type[Task], *, path: str) -> Iterator[CheckMessage]:
    fields = {field.name: field for field in dataclasses.fields(task)}
    for key in entry.keys() - fields.keys():
        yield Error(
            f"{setting}: {key!r} in {_label(entry)} is not known.",
            hint=_did_you_mean(key, fields) or f"Known are {', '.join(fields)}.",
            id="healthcheck.E001",
        )
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    for key in sorted(required - entry.keys()):
        yield Error(f"{setting}: {_label(entry)} lacks {key!r}.", id="healthcheck.E001")
    for key, unit in _LIMITS.items():
        if key in entry and not _is_limit(entry[key], may_be_none=key == "slow_ms"):
            yield Error(
                f"{setting}: {key!r} of {_label(entry)} must be a number of {unit} above 0.",
                id="healthcheck.E005",
            )
    if entry.get("place", "wide") not in get_args(Place):
        yield Error(
            f"{setting}: 'place' of {_label(entry)} must be one of {', '.join(get_args(Place))}.",
            id="healthcheck.E006",
        )
    if path in entry:
        yield from _check_function(setting, entry[path])


def _is_limit(value: object, *, may_be_none: bool) -> bool:
    return (value is None and may_be_none) or (isinstance(value, int | float) and value > 0)


def _check_function(setting: str, path: str) -> Iterator[CheckMessage]:
    try:
        found: Any = import_string(path)
    except ImportError as error:
        yield Error(
            f"{setting}: {path!r} cannot be imported: {error}.",
            hint="Give the dotted path of a function without arguments.",
            id="healthcheck.E002",
        )
        return
    if not callable(found):
        yield Error(f"{setting}: {path!r} is not a function.", id="healthcheck.E002")


def _check_needs(setting: str, entry: Entry, before: Sequence[str]) -> Iterator[CheckMessage]:
    for name in entry.get("needs", ()):
        if name not in before:
            yield Error(
                f"{setting}: {_label(entry)} needs {name!r}, which is not a component listed before it.",
                hint=_did_you_mean(name, before),
                id="healthcheck.E003",
            )


def _label(entry: Entry) -> str:
    return repr(entry.get("name") or str(entry.get("title", "an entry")))


def _did_you_mean(word: str, known: Mapping[str, Any] | Sequence[str]) -> str | None:
    close = get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else None
