"""A pool after its server went away, and after its process forked."""

from threading import Barrier, Thread

import psutil
import pytest
from django.db import OperationalError

from tests.embedded_postgres.databases import POOL, connections_to
from tests.embedded_postgres.processes import DEADLINE_S, all_gone, postmaster, run_python, servers
from tests.pg_ctl import restart, stop
from tradingsite.database import databases
from tradingsite.embedded_postgres.keeper import wait_until
from tradingsite.env import environment


@pytest.fixture
def connect(data, stop_using_at_the_end, django_db_blocker):
    """Make handlers of connections to one embedded server."""
    handlers = []

    def connect(**pool):
        handlers.append(connections_to(data, pool={**POOL, **pool}))
        stop_using_at_the_end(handlers[-1]["own"].server)
        return handlers[-1]

    with django_db_blocker.unblock():
        yield connect
        for handler in handlers:
            handler.close_all()
            handler["own"].close_pool()


def query(handler):
    """Take a connection, query, and return it, as a request does."""
    try:
        with handler["own"].cursor() as cursor:
            cursor.execute("SELECT 42")
            return cursor.fetchone()[0]
    finally:
        handler["own"].close()


def at_once(handler, count):
    """Query in `count` threads at the same time; return the results and errors."""
    barrier, results = Barrier(count), []

    def one():
        barrier.wait(DEADLINE_S)
        try:
            results.append(query(handler))
        except Exception as error:  # noqa: BLE001 - the test looks at them
            results.append(error)
        finally:
            handler.close_all()

    threads = [Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    return results


def idle(handler):
    """Open several connections, and leave them in the pool."""
    pool = handler["own"].pool
    pool.open(wait=True)
    connections = [pool.getconn() for _ in range(6)]
    for connection in connections:
        pool.putconn(connection)


def kill(server):
    """Kill the server, and wait for its sessions: they outlive it until they notice, and answer meanwhile."""
    killed = postmaster(server.data)
    sessions = killed.children()
    killed.kill()
    assert psutil.wait_procs(sessions, DEADLINE_S)[1] == []
    assert wait_until(lambda: not servers(server.data), DEADLINE_S)


@pytest.mark.parametrize("go_away", [restart, stop, kill])
def test_request_succeeds_after_the_server_went_away(connect, go_away):
    handler = connect()
    idle(handler)

    go_away(handler["own"].server)

    assert query(handler) == 42
    assert query(handler) == 42


@pytest.mark.parametrize("go_away", [restart, kill])
def test_all_threads_succeed_after_the_server_went_away(connect, go_away):
    handler = connect()
    idle(handler)
    go_away(handler["own"].server)

    assert at_once(handler, 16) == [42] * 16


def test_connection_returned_within_a_transaction_is_usable_again(connect):
    handler = connect(min_size=1, max_size=1)
    handler["own"].ensure_connection()
    handler["own"].set_autocommit(False)
    handler["own"].close()

    assert query(handler) == 42


def test_exhausted_pool_raises_with_the_cause(connect):
    handler = connect(min_size=1, max_size=1, timeout=0.1)
    handler["own"].ensure_connection()

    [error] = at_once(handler, 1)

    assert isinstance(error, OperationalError)
    assert str(error) == "No database connection within 0.1 s: all 1 are in use or being reconnected."
    handler["own"].close()
    assert query(handler) == 42


def test_request_waits_three_seconds_for_a_connection():
    assert databases(environment())["default"]["OPTIONS"]["pool"]["timeout"] == 3


def test_threads_that_close_their_connections_leave_none_behind(connect):
    handler = connect(min_size=1, max_size=3)

    for _ in range(4):
        assert at_once(handler, 3) == [42] * 3

    assert handler["own"].pool.get_stats()["pool_size"] <= 3


def test_server_without_connections_raises_with_the_cause(place, django_db_blocker):
    handler = connections_to(None, host=str(place), pool={**POOL, "timeout": 0.1})

    with (
        django_db_blocker.unblock(),
        pytest.raises(OperationalError, match=r"within 0\.1 s: the server gives none"),
    ):
        query(handler)

    handler["own"].close_pool()


def test_closing_an_unused_pool_starts_nothing(place):
    handler = connections_to(place / "postgres", pool=POOL)

    handler["own"].close_pool()
    handler["own"].ensure_timezone()

    assert not list(place.iterdir())


FORK = """
import os, sys
from pathlib import Path
from tests.embedded_postgres.databases import set_up_django
set_up_django(Path(sys.argv[1]))
from django.db import connection

def session():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]

of_the_parent = {session()}
if sys.argv[2] == "gave it back":
    connection.close()
child = os.fork()
if child == 0:
    print("child's own" if session() not in of_the_parent else "shared", flush=True)
    connection.close()
    sys.exit()
assert os.waitpid(child, 0) == (child, 0)
print("parent's" if session() in of_the_parent else "another")
connection.close()
connection.close_pool()
"""


@pytest.mark.parametrize("parent", ["gave it back", "holds a connection"])
def test_forked_child_gets_its_own_connections(data, parent):
    output = run_python(FORK, data, parent).splitlines()

    assert output[0] == "child's own"
    assert output[1] == "parent's" or parent == "gave it back"  # its pool has two
    assert all_gone(data)
