"""The barest process that hears: LISTEN, wait for the socket, say what came and when, and send it back."""

import select
import sys
import time

import psycopg

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute("LISTEN t_bare")
    print("0 0", flush=True)  # noqa: T201 - the parent reads it
    while True:
        select.select([connection.fileno()], [], [])
        for note in list(connection.notifies(timeout=0)):  # the generator holds the connection's lock
            at_s = time.monotonic()
            connection.execute("SELECT pg_notify('t_back', %s)", [note.payload])
            print(note.payload, at_s, flush=True)  # noqa: T201 - the parent reads it
