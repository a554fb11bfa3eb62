"""The sandbox's state file: one JSON line per change, compacted at every start.

A line is either complete or ignored, even after SIGKILL, so each change is atomic.

Rules: docs/sandbox-exchange.md E20.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]
_MODE = 0o600  # only the owner may read what was traded
_LINES_BEFORE_REWRITE = 20_000


class StateFileError(Exception):
    """The state file is damaged, or another sandbox uses it."""


class Journal:
    """Appends records to `path`. `everything` returns the records of the whole state, for compaction.

    Not thread-safe. From `open` until `close` or the end of the process, no other process can open the same
    path.
    """

    def __init__(self, path: Path, everything: Callable[[], Iterable[Record]]) -> None:
        self._path = path
        self._everything = everything
        self._lock = -1
        self._file = -1
        self._size = 0
        self._lines = 0

    def open(self) -> list[Record]:
        """Lock the file and return its records, oldest first.

        An incomplete last line is dropped: its request was never answered.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT, _MODE)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise StateFileError(f"another sandbox uses the state file {self._path}") from error
        return self._read()

    def _read(self) -> list[Record]:
        if not self._path.exists():
            return []
        # Without the part after the last newline, which is incomplete.
        lines = self._path.read_bytes().split(b"\n")[:-1]
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            self.close()
            raise StateFileError(f"the state file {self._path} is damaged: {error}") from error

    def append(self, record: Record, *, durable: bool) -> None:
        """Add a record. `durable` also waits for the disk, so that the record survives a power failure.

        Raises:
            OSError: the file is unchanged.
        """
        line = _line(record)
        try:
            _write(self._file, line)
            if durable:
                os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        self._lines += 1

    @property
    def is_long(self) -> bool:
        return self._lines >= _LINES_BEFORE_REWRITE

    def rewrite(self) -> None:
        """Replace the file by a compact one. A crash leaves either the old file or the new one."""
        new_path = self._path.with_name(self._path.name + ".new")
        new_path.unlink(missing_ok=True)
        file = os.open(new_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, _MODE)
        content = b"".join(_line(record) for record in self._everything())
        _write(file, content)
        os.fsync(file)
        new_path.replace(self._path)
        _sync_directory(self._path.parent)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._lines = file, len(content), 0

    def close(self) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1


def _line(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"


def _write(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
