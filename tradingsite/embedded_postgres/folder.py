"""Checks where the data and the socket of an embedded server can be, and explains when they cannot."""

import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import OperationalError

from tradingsite.embedded_postgres.keeper import SOCKET

REMEDIES = (
    "Set EMBEDDED_POSTGRES_DIR to a folder that can be used, run as another user, "
    "or set DATABASE_URL to use a server of your own."
)
# pg_ctl passes its command to a shell in double quotes; a line break would corrupt postmaster.pid.
_UNSAFE_CHARACTERS = '$"`\\\n'
_LONGEST_SOCKET_PATH = 103  # bytes, on macOS; 107 on Linux
# Not TMPDIR: all processes must find the same folder. Its mode and owner make it private.
_SHARED_TEMP = Path("/tmp")  # noqa: S108 - see the line above


class EmbeddedPostgresError(OperationalError):
    """The embedded server cannot be used. The message says why and what to do.

    It is an `OperationalError`, so that code which survives an unreachable database survives this as well.
    """


def refuse_characters(path: Path) -> None:
    """Raise EmbeddedPostgresError for a path with characters that pg_ctl's shell would interpret."""
    if found := sorted(set(str(path)).intersection(_UNSAFE_CHARACTERS)):
        listed = ", ".join(map(repr, found))
        raise EmbeddedPostgresError(
            f"PostgreSQL can't be started by a path that contains {listed}: {path}\n{REMEDIES}"
        )


def socket_folder(data: Path) -> Path:
    """Return the folder of the socket: the data folder or, if its path is unsuitable, one in the temp folder.

    Raises:
        EmbeddedPostgresError: another user owns a folder of that name.
    """
    if len(os.fsencode(data / SOCKET)) <= _LONGEST_SOCKET_PATH and "," not in str(data):
        return data
    owner = data.stat()
    folder = _SHARED_TEMP / f"pg-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, owner.st_uid, owner.st_gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.st_uid or found.st_mode & 0o077:
        raise EmbeddedPostgresError(
            f"PostgreSQL needs {folder} for its socket, but it is not a private folder of "
            f"{user_name(owner.st_uid)}. Remove it, or use a shorter EMBEDDED_POSTGRES_DIR without a comma."
        )
    return folder


@contextmanager
def os_errors_explained() -> Iterator[None]:
    """Turn OS errors into EmbeddedPostgresError, naming the owner of the file or folder."""
    try:
        yield
    except PermissionError as error:
        path = Path(error.filename)
        # Unlike Path.exists, os.path.exists returns False for a path that may not be seen.
        existing = next(known for known in (path, *path.parents) if os.path.exists(known))  # noqa: PTH110 - Path.exists raises
        owner = user_name(existing.stat().st_uid)
        raise EmbeddedPostgresError(
            f"User {user_name(os.geteuid())} may not use {path}: {existing} belongs to {owner}.\n{REMEDIES}"
        ) from error
    except OSError as error:
        raise EmbeddedPostgresError(f"{error}\n{REMEDIES}") from error


def user_name(uid: int) -> str:
    """Return the account's name, or its number if it has no name, as in many containers."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
