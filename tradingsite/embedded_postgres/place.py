"""Where the data lie when PostgreSQL's account may not enter the folder requested for them.

Run by root, PostgreSQL runs as `nobody`, who can't pass a folder of mode 0700 such as root's home, and the
modes of the folders above a checkout are not ours to change. The data then lie in a new folder under `STATE`,
the *place*. Two small files tie it to the requested folder: next to that, `postgres.place` names the place;
in the place, `checkout` names the requested folder. They tell a copy of the checkout, which gets data of its
own, from one that was moved, which goes on with its data.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from tradingsite.embedded_postgres.folder import WAYS_OUT, EmbeddedPostgresError
from tradingsite.embedded_postgres.os_account import closed_folder, owner_of_new_folders

logger = structlog.get_logger(__name__)

STATE = Path("/var/lib/tradingsite")
_PASSABLE = 0o711
_LONGEST_NAME = 30  # the path of the socket in the place has to be short


class _Note(NamedTuple):
    """What `postgres.place` says, a line each."""

    requested: Path
    data: Path


def settle(requested: Path) -> Path:
    """Return the data folder to use for `requested`, making a place for it when that is needed.

    Must not run twice at once for the same folder.

    Raises:
        EmbeddedPostgresError: the data are not where they were put, or no place can be made.
    """
    if note := _read(requested):
        if note.requested == requested:
            _refuse_missing(note)
            return note.data
        if _moved(note, requested):
            _write(_Note(requested, note.data))
            return note.data
    if (requested / "PG_VERSION").exists():
        return requested
    closed = closed_folder(owner_of_new_folders(), requested)
    if closed is None:
        return requested
    with no_room(closed):
        note = _Note(requested, _new_place(requested) / requested.name)
    _write(note)
    logger.info("postgres.placed", data=str(note.data), reason=closed)
    return note.data


def make_passable(folder: Path) -> None:
    """Make a folder that everybody may pass and root alone may list, unless it exists."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(_PASSABLE)


@contextmanager
def no_room(closed: str) -> Iterator[None]:
    """Turn the operating system's refusals under `STATE` into a sentence with the ways out."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"{closed}, and {STATE} can't be used in its place: {error.strerror}.\n{WAYS_OUT}"
        ) from error


def _new_place(requested: Path) -> Path:
    make_passable(STATE)
    checkout = re.sub(r"[^\w.-]", "_", requested.parent.parent.name, flags=re.ASCII)
    place = Path(tempfile.mkdtemp(prefix=f"{checkout[:_LONGEST_NAME]}-", dir=STATE))
    place.chmod(_PASSABLE)
    return place


def _moved(note: _Note, requested: Path) -> bool:
    """Return whether the checkout that used the place last is the present one, moved since then."""
    owner = _first_line(note.data.parent / "checkout")
    if owner != str(note.requested):
        return owner == str(requested)  # killed between the two lines of `_write`
    there = _read(note.requested)
    return there is None or there.data != note.data


def _refuse_missing(note: _Note) -> None:
    if not note.data.parent.is_dir():
        raise EmbeddedPostgresError(
            f"{_note_file(note.requested)} says that PostgreSQL's data lie in {note.data}, which is missing. "
            f"Bring that folder back, or remove {_note_file(note.requested)} to begin with no data."
        )


def _write(note: _Note) -> None:
    file = _note_file(note.requested)
    draft = file.with_name(f"{file.name}.new")
    draft.write_text(f"{note.requested}\n{note.data}\n")
    (note.data.parent / "checkout").write_text(f"{note.requested}\n")
    draft.replace(file)


def _read(requested: Path) -> _Note | None:
    try:
        lines = _note_file(requested).read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) != 2:
        raise EmbeddedPostgresError(
            f"{_note_file(requested)} must name the folder requested for PostgreSQL's data and the one that "
            "has them, a line each. Remove it to begin with no data."
        )
    return _Note(Path(lines[0]), Path(lines[1]))


def _first_line(file: Path) -> str:
    try:
        return file.read_text().rstrip("\n")
    except FileNotFoundError:
        return ""


def _note_file(requested: Path) -> Path:
    return requested.with_name(f"{requested.name}.place")
