"""Finds out who is at the terminal, and asks for a confirmation."""

import getpass
import os
import socket
import sys

from django.core.management.base import CommandError, OutputWrapper
from django.utils.translation import gettext as _


def operator() -> tuple[str, str]:
    """Return the user (the original one behind sudo), and `user@host`."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # in a container the user id may have no name
        account = str(os.getuid())
    return os.environ.get("SUDO_USER") or account, f"{account}@{socket.gethostname()}"


def confirm(out: OutputWrapper, why: str, *, yes: bool) -> None:
    """Ask unless `yes` is set. Raises CommandError when the answer is not yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(
            _("%(why)s There is no terminal to confirm it: nothing was changed. Repeat it with --yes.")
            % {"why": why}
        )
    out.write(why + " " + _("Do it? [y/N]") + " ", ending="")
    out.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError(_("Nothing was changed."))
