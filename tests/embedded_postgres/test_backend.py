import socket
from struct import pack
from threading import Thread

import pytest
from django.db import NotSupportedError, OperationalError

from tests.embedded_postgres.databases import connections_to
from tests.embedded_postgres.processes import DEADLINE_S, all_gone, postmaster, run_python, servers
from tradingsite.embedded_postgres.keeper import SOCKET, wait_until


@pytest.fixture
def connection(data, stop_using_at_the_end, django_db_blocker):
    """A connection to an embedded server, not made yet."""
    with django_db_blocker.unblock():
        handler = connections_to(data)
        stop_using_at_the_end(handler["own"].server)
        yield handler["own"]
        handler.close_all()


def test_first_query_starts_the_server(data, connection):
    assert not servers(data)

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('listen_addresses')")

        assert cursor.fetchone() == ("off", "")


def test_external_server_is_used_as_it_is(data, connection):
    connection.ensure_connection()
    other = connections_to(None, host=str(data))["own"]

    other.ensure_connection()

    assert other.server is None
    assert other.client.settings_to_cmd_args_env(other.settings_dict, [])[0][0] == "psql"
    other.close()


def test_killed_server_is_started_by_the_second_attempt(data, connection):
    connection.ensure_connection()
    connection.close()
    postmaster(data).kill()
    assert wait_until(lambda: not servers(data), DEADLINE_S)
    with pytest.raises(OperationalError):
        connection.ensure_connection()

    connection.ensure_connection()

    assert connection.is_usable()


def test_server_that_cannot_start_raises_an_operational_error(place, django_db_blocker):
    with django_db_blocker.unblock(), pytest.raises(OperationalError, match="contains"):
        connections_to(place / "$HOME")["own"].ensure_connection()


def test_dbshell_is_the_servers_own_psql(connection, capfd):
    connection.client.runshell(["--no-psqlrc", "-Atc", "SELECT 42"])

    assert capfd.readouterr().out == "42\n"


BEGIN_TESTS = """
import sys
from pathlib import Path
from threading import Thread
from tests.embedded_postgres.databases import set_up_django
set_up_django(Path(sys.argv[1]))
from django.db import connection

def where():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        print(cursor.fetchone()[0])

where()
connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
where()
leaks_its_connection = Thread(target=where)
leaks_its_connection.start()
leaks_its_connection.join()
connection.creation.destroy_test_db("postgres", verbosity=0)
where()
connection.close()
connection.close_pool()
"""


def test_query_before_the_test_database_exists_does_not_lead_tests_to_the_real_one(data):
    visited = run_python(BEGIN_TESTS, data).split()

    assert visited == ["postgres", "test_postgres", "test_postgres", "postgres"]
    assert all_gone(data)


def message(kind, content):
    return kind + pack("!i", len(content) + 4) + content


def greet(listening, version):
    """Greet one client as a PostgreSQL server of that version would, and wait until it leaves."""
    client, _ = listening.accept()
    with client:
        client.recv(10_000)
        parameters = {"server_version": version, "client_encoding": "UTF8", "TimeZone": "UTC"}
        statuses = [message(b"S", f"{name}\0{value}\0".encode()) for name, value in parameters.items()]
        hello = [
            message(b"R", pack("!i", 0)),
            *statuses,
            message(b"K", pack("!ii", 1, 1)),
            message(b"Z", b"I"),
        ]
        client.sendall(b"".join(hello))
        while client.recv(10_000):
            pass


def test_server_older_than_14_is_refused_with_its_version(place, monkeypatch, django_db_blocker):
    monkeypatch.setattr("django.db.backends.base.base.RAN_DB_VERSION_CHECK", set())
    connection = connections_to(None, host=str(place))["own"]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / SOCKET))
        listening.listen()
        server = Thread(target=greet, args=(listening, "13.11"))
        server.start()

        with (
            django_db_blocker.unblock(),
            pytest.raises(NotSupportedError, match=r"PostgreSQL 14 or later is required \(found 13.11\)"),
        ):
            connection.ensure_connection()

        connection.close()
        server.join(DEADLINE_S)
