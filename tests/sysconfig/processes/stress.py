"""Reads in one process while another changes what is read: how many were older than the last notification."""

import threading

import psycopg

from tests.sysconfig.processes.house import KEY


def stressed(db_server, reader, reads, threads=2):
    """Let each thread of the reader read so often while this process writes; return what was counted."""
    over = threading.Event()

    def write():
        with psycopg.connect(db_server.url, autocommit=True) as connection:
            while not over.is_set():
                db_server.value += 1
                connection.execute(
                    "UPDATE system_config SET value = %s WHERE key = %s", [str(db_server.value), KEY]
                )
                over.wait(0.002)  # between two changes there are hits

    reader.command("stress", str(threads), str(reads))
    reader.until(event="ready")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        return reader.until(timeout_s=600, event="stressed")
    finally:
        over.set()
        writer.join()
