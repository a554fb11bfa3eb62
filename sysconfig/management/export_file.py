"""Reads and writes the configuration as a JSON file (docs/configuration.md, "The file of an export")."""

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from django.utils.translation import gettext as _

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import ChangeRefused, InvalidConfigValue

FORMAT_VERSION = 1
_PARTS = ("values", "unregistered")


class UnreadableExport(Exception):
    """The text says what is wrong with the file."""


class Export(NamedTuple):
    """The content of a file. `mode` is the trading mode of the site that wrote it, "" if missing."""

    mode: str
    changes: Mapping[str, object]
    refusals: list[ChangeRefused]


def exported(mode: str, at: datetime) -> dict[str, Any]:
    texts = dict(SystemConfig.objects.order_by("key").values_list("key", "value"))
    known = [key.name for key in registry.registered() if key.name in texts]
    return {
        "format_version": FORMAT_VERSION,
        "mode": mode,
        "exported_at": at.isoformat(),
        "values": {key: texts[key] for key in known},
        "unregistered": {key: text for key, text in texts.items() if key not in known},
    }


def write_whole(path: Path, text: str) -> None:
    """Replace the file by `text` atomically, so that a reader never finds half of it.

    A device or pipe is written to directly.
    """
    path = path.resolve()  # replace the target of a link, not the link
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink()
        raise


def read(text: str) -> Export:
    """Parse an exported file. Values may be texts or typed. Here only keys are checked, not their values.

    Raises:
        UnreadableExport: it is not JSON of this format.
    """
    document = _object(_parsed(text), _("the file"))
    if document.get("format_version") != FORMAT_VERSION:
        found = document.get("format_version")
        raise UnreadableExport(
            _("its format_version is %(found)r; this release reads %(known)r")
            % {"found": found, "known": FORMAT_VERSION}
        )
    parts = [_object(document.get(part, {}), part) for part in _PARTS]
    if twice := sorted(parts[0].keys() & parts[1].keys()):
        raise UnreadableExport(_("%(key)s occurs twice") % {"key": twice[0]})
    rule = _('no such key is registered here; plain texts belong under "unregistered"')
    refusals: list[ChangeRefused] = [
        InvalidConfigValue(key, value, rule) for key, value in parts[0].items() if registry.find(key) is None
    ]
    changes = {
        key: value for part in parts for key, value in part.items() if part is parts[1] or registry.find(key)
    }
    return Export(str(document.get("mode", "")), changes, refusals)


def _parsed(text: str) -> object:
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_reject_nan, object_pairs_hook=_reject_duplicates
        )
    except (ValueError, RecursionError) as error:  # RecursionError: too deeply nested
        raise UnreadableExport(_("it is not JSON: %(error)s") % {"error": error}) from error


def _object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UnreadableExport(_("%(name)s must be a JSON object") % {"name": name})
    return value


def _reject_nan(name: str) -> NoReturn:
    raise ValueError(name)


def _reject_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Reject a repeated name: JSON would silently use the last one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableExport(_("%(key)s occurs twice") % {"key": twice})
    return found
