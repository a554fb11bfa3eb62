"""The name of the operator at a terminal, for commands that record it."""

import getpass
import os

from django.core.management.base import CommandError
from django.utils.translation import gettext as _


def operator_name(by: str | None) -> str:
    """Return the name to record: `by`, or else the logged-in user (the original one behind sudo)."""
    if by is not None:
        return by
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError) as error:  # in a container the user id may have no name
        raise CommandError(_("This user has no name: give one with --by.")) from error
