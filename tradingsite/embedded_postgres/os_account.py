"""The OS account that PostgreSQL runs as, and the folders that it may enter. It matters when run as root."""

import os
import pwd
from pathlib import Path
from typing import TypedDict

from tradingsite.embedded_postgres.folder import user_name


class OsAccount(TypedDict, total=False):
    """Arguments of `subprocess.run` that run a program as another user."""

    user: int
    group: int
    extra_groups: list[str | int]
    umask: int


def owner_of(folder: Path) -> OsAccount:
    """Return how to run a program as the owner of `folder`, since PostgreSQL does not run as root.

    A folder owned by root (new, or copied by root) is given to the account `nobody`; no account is created.
    """
    if os.geteuid() != 0:
        return {}
    if folder.stat().st_uid == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    owner = folder.stat()
    return _running_as(owner.st_uid, owner.st_gid)


def owner_of_new_folders() -> OsAccount:
    """Return how programs run on a data folder that does not exist yet."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return _running_as(nobody.pw_uid, nobody.pw_gid)


def closed_folder(who: OsAccount, path: Path) -> str | None:
    """Return a clause that names the first parent of `path` that `who` may not enter; None if there is none.

    Only permission bits of existing folders are checked.
    """
    for folder in reversed(path.parents) if who else ():
        if not folder.exists():
            return None
        status = folder.stat()
        shift = 6 if status.st_uid == who["user"] else 3 if status.st_gid == who["group"] else 0
        if not (status.st_mode >> shift) & 1:
            return (
                f"Run by root, PostgreSQL runs as {user_name(who['user'])}, "
                f"who may not enter {folder} (mode {status.st_mode & 0o7777:04o})"
            )
    return None


def _running_as(user: int, group: int) -> OsAccount:
    return {"user": user, "group": group, "extra_groups": [], "umask": 0o077}
