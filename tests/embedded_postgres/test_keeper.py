import fcntl
import os
import signal
from threading import Thread

import pytest

from tests.embedded_postgres.processes import (
    DEADLINE_S,
    all_gone,
    is_free,
    keepers,
    kill_keeper,
    postmaster,
    run_python,
    servers,
)
from tradingsite.embedded_postgres.keeper import keep, main, open_lock, try_lock, wait_until


@pytest.fixture
def kept(data, server_on):
    """A server whose only user is this process, with a keeper in a thread of it."""
    server = server_on(data)
    server.use()
    kill_keeper(data)
    lock = open_lock(server.lock_file("keeper"))
    assert try_lock(lock, fcntl.LOCK_EX)
    thread = Thread(target=keep, args=(server.lock_file("users"), lock, server.data / "postmaster.pid"))
    thread.start()
    yield server
    assert all_gone(data)
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def leave(server):
    os.close(server._users)
    server._users = None


def test_keeper_waits_for_the_last_user_and_frees_its_lock(kept):
    second = open_lock(kept.lock_file("users"))
    assert try_lock(second, fcntl.LOCK_SH)

    leave(kept)
    assert kept.running()

    os.close(second)
    assert wait_until(lambda: is_free(kept.lock_file("keeper")), DEADLINE_S)
    assert not kept.running()


def test_suspended_server_is_stopped(kept):
    postmaster(kept.data).send_signal(signal.SIGSTOP)

    leave(kept)

    assert wait_until(lambda: not servers(kept.data), DEADLINE_S)


def test_second_keeper_does_not_start(kept):
    main(kept.lock_file("users"), kept.lock_file("keeper"), kept.data / "postmaster.pid")

    assert kept.running()
    leave(kept)


def test_keeper_without_a_server_ends(place):
    lock = open_lock(place / "keeper")
    assert try_lock(lock, fcntl.LOCK_EX)

    keep(place / "users", lock, place / "postmaster.pid")

    assert is_free(place / "keeper")


BECOME_THE_KEEPER = """
import sys
from pathlib import Path
from tradingsite.embedded_postgres.keeper import main
main(*map(Path, sys.argv[1:]))
"""


def test_keeper_is_detached_from_the_terminal(place):
    data = place / "postgres"
    user = open_lock(place / "postgres.users")
    assert try_lock(user, fcntl.LOCK_SH)

    run_python(BECOME_THE_KEEPER, f"{data}.users", f"{data}.keeper", data / "postmaster.pid")

    [keeper] = keepers(data)
    assert os.getsid(keeper.pid) == keeper.pid != os.getsid(0)
    assert keeper.cwd() == "/"
    os.close(user)
    assert wait_until(lambda: not keepers(data), DEADLINE_S)
