"""Where an embedded server's data and socket can live, and what is said where they can't."""

import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import OperationalError

from tradingsite.embedded_postgres.keeper import SOCKET

WAYS_OUT = (
    "Set EMBEDDED_POSTGRES_DIR to a folder that can be used, run as another user, "
    "or set DATABASE_URL to use a server of your own."
)
# pg_ctl hands its command to a shell within double quotes; a line break would garble postmaster.pid.
_REFUSED = '$"`\\\n'
_LONGEST_SOCKET_PATH = 103  # bytes, on macOS; Linux takes 107
# Not TMPDIR: each process must find the same folder. It is private by its mode and its owner.
_SHARED_TEMP = Path("/tmp")  # noqa: S108 - see the line above


class EmbeddedPostgresError(OperationalError):
    """The embedded server can't be used; the message says why and what to do.

    An `OperationalError`, so that whatever survives an unreachable database survives this too.
    """


def refuse_characters(path: Path) -> None:
    """Raise EmbeddedPostgresError for a path that would not survive pg_ctl's shell."""
    if found := sorted(set(str(path)).intersection(_REFUSED)):
        listed = ", ".join(map(repr, found))
        raise EmbeddedPostgresError(
            f"PostgreSQL can't be started by a path that contains {listed}: {path}\n{WAYS_OUT}"
        )


def socket_folder(data: Path) -> Path:
    """Return the data folder, or, where its path does not do for a socket, a folder in the temp folder.

    Raises:
        EmbeddedPostgresError: somebody else has taken that folder's name.
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
def explained() -> Iterator[None]:
    """Turn the operating system's refusals into EmbeddedPostgresError, naming whose the file or folder is."""
    try:
        yield
    except PermissionError as error:
        path = Path(error.filename)
        # Unlike Path.exists, this one says no to what may not be seen.
        existing = next(known for known in (path, *path.parents) if os.path.exists(known))  # noqa: PTH110 - Path.exists raises
        owner = user_name(existing.stat().st_uid)
        raise EmbeddedPostgresError(
            f"User {user_name(os.geteuid())} may not use {path}: {existing} belongs to {owner}.\n{WAYS_OUT}"
        ) from error
    except OSError as error:
        raise EmbeddedPostgresError(f"{error}\n{WAYS_OUT}") from error


def user_name(uid: int) -> str:
    """Return the account's name, or its number where it has none, as in many containers."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
