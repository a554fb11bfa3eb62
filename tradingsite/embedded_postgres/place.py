"""Finds another folder for the data when PostgreSQL's account may not enter the requested one.

Run by root, PostgreSQL runs as `nobody`, which may not enter folders of mode 0700 such as root's home, and we
should not change the modes of folders above a checkout. The data are then in a new folder under `STATE`, the
*place*. Two small files connect it to the requested folder: `postgres.place`, next to that folder, names the
place; `checkout`, in the place, names the requested folder. They distinguish a copied checkout, which gets
its own data, from one that was moved, which keeps its data.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import structlog

from tradingsite.embedded_postgres.folder import REMEDIES, EmbeddedPostgresError
from tradingsite.embedded_postgres.os_account import closed_folder, owner_of_new_folders

logger = structlog.get_logger(__name__)

STATE = Path("/var/lib/tradingsite")
_PASSABLE = 0o711
_LONGEST_NAME = 30  # the path of the socket must stay short


class _Note(NamedTuple):
    """The content of `postgres.place`, one path in each line."""

    requested: Path
    data: Path


def settle(requested: Path) -> Path:
    """Return the data folder to use for `requested`; create a place for it if needed.

    It must not run twice at the same time for one folder.

    Raises:
        EmbeddedPostgresError: the data are not where the note says, or no place can be created.
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
    with explain_unusable_state_folder(closed):
        note = _Note(requested, _new_place(requested) / requested.name)
    _write(note)
    logger.info("postgres.placed", data=str(note.data), reason=closed)
    return note.data


def make_passable(folder: Path) -> None:
    """Create a folder that everybody may pass through and only root may list, unless it exists."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(_PASSABLE)


@contextmanager
def explain_unusable_state_folder(closed: str) -> Iterator[None]:
    """Turn OS errors under `STATE` into a message that says what to do."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"{closed}, and {STATE} can't be used in its place: {error.strerror}.\n{REMEDIES}"
        ) from error


def _new_place(requested: Path) -> Path:
    make_passable(STATE)
    checkout = re.sub(r"[^\w.-]", "_", requested.parent.parent.name, flags=re.ASCII)
    place = Path(tempfile.mkdtemp(prefix=f"{checkout[:_LONGEST_NAME]}-", dir=STATE))
    place.chmod(_PASSABLE)
    return place


def _moved(note: _Note, requested: Path) -> bool:
    """Return whether the checkout that used the place was moved to its present folder."""
    owner = _first_line(note.data.parent / "checkout")
    if owner != str(note.requested):
        return owner == str(requested)  # killed between the two writes in `_write`
    there = _read(note.requested)
    return there is None or there.data != note.data


def _refuse_missing(note: _Note) -> None:
    if not note.data.parent.is_dir():
        raise EmbeddedPostgresError(
            f"{_note_file(note.requested)} says that PostgreSQL's data are in {note.data}, which is missing. "
            f"Bring that folder back, or remove {_note_file(note.requested)} to start with an empty database."
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
            "has them, one per line. Remove it to start with an empty database."
        )
    return _Note(Path(lines[0]), Path(lines[1]))


def _first_line(file: Path) -> str:
    try:
        return file.read_text().rstrip("\n")
    except FileNotFoundError:
        return ""


def _note_file(requested: Path) -> Path:
    return requested.with_name(f"{requested.name}.place")
