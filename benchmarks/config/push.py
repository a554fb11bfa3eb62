"""A change is committed here; another process says when it had it: through our cache, and barely."""

import select
import subprocess
import sys
import time
from typing import Any, NamedTuple

import psycopg

from tests.sysconfig.processes.house import KEY, WITHIN_S, DatabaseServer, Reader

Connection = psycopg.Connection[Any]
PAUSE_S = 0.00005  # between two reads: the precision of what is measured


class Figures(NamedTuple):
    """Seconds of each turn, all from before the COMMIT here."""

    one_way: list[float]  # until the barest process heard it
    round_trip: list[float]  # until its answer, sent the same way, was heard here
    ours: list[float]  # until another process read the new value


def bare_and_ours(db_server: DatabaseServer, edits: int) -> Figures:
    """Make so many bare notifications and changes of a setting, in turn."""
    reader, bare = Reader(db_server, 5, pause_s=PAUSE_S), _bare(db_server)
    figures = Figures([], [], [])
    try:
        with (
            psycopg.connect(db_server.url) as writing,
            psycopg.connect(db_server.url, autocommit=True) as hearing,
        ):
            hearing.execute("LISTEN t_back")
            for turn in range(1, edits + 1):
                one_way_s, round_trip_s = _notify(writing, hearing, bare, turn)
                figures.one_way.append(one_way_s)
                figures.round_trip.append(round_trip_s)
                figures.ours.append(_edit(writing, reader, turn))
    finally:
        reader.close()
        bare.kill()
        bare.communicate(timeout=WITHIN_S)
    return figures


def _bare(db_server: DatabaseServer) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.sysconfig.processes.bare", db_server.url]
    process = subprocess.Popen(command, env=db_server.env, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    _line(process)
    return process


def _line(process: "subprocess.Popen[str]") -> list[str]:
    if process.stdout is None:
        raise TypeError("started without a pipe")
    return process.stdout.readline().split()


def _notify(
    writing: Connection, hearing: Connection, bare: "subprocess.Popen[str]", turn: int
) -> tuple[float, float]:
    writing.execute("SELECT pg_notify('t_bare', %s)", [str(turn)])
    before_s = time.monotonic()
    writing.commit()
    select.select([hearing.fileno()], [], [], WITHIN_S)
    answers = [note.payload for note in hearing.notifies(timeout=0)]
    round_trip_s = time.monotonic() - before_s
    payload, at_s = _line(bare)
    if {payload, *answers} != {str(turn)}:
        raise ValueError(f"heard {payload} and {answers}, not {turn}")
    return float(at_s) - before_s, round_trip_s


def _edit(connection: Connection, reader: Reader, turn: int) -> float:
    connection.execute("UPDATE system_config SET value = %s WHERE key = %s", [str(turn), KEY])
    before_s = time.monotonic()
    connection.commit()
    at_s, _ = reader.seen(str(turn))
    return float(at_s) - before_s
