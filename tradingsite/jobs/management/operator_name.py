"""Who acts from a terminal, for the commands that record it."""

import getpass
import os

from django.core.management.base import CommandError
from django.utils.translation import gettext as _


def operator_name(by: str | None) -> str:
    """Return the name to record: what `--by` says, or who is logged in, also behind sudo."""
    if by is not None:
        return by
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError) as error:  # a container's user may have no name
        raise CommandError(_("This user has no name: say who with --by.")) from error
