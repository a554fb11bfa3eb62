import ast
import os
import shutil
import signal
import subprocess
from threading import Thread

import psutil
import psycopg
import pytest

from tests.embedded_postgres.processes import (
    DEADLINE_S,
    all_gone,
    keepers,
    kill_keeper,
    postmaster,
    run_python,
    servers,
)
from tradingsite.embedded_postgres.keeper import wait_until


def leave(users):
    for user in users:
        user.leave()


def send(how):
    def kill(users):
        for user in users:
            os.kill(user.pid, how)

    return kill


def ctrl_c(users):
    os.killpg(os.getpgid(users[0].pid), signal.SIGINT)


@pytest.mark.parametrize(
    "end",
    [leave, send(signal.SIGTERM), send(signal.SIGKILL), ctrl_c],
    ids=["exit", "SIGTERM", "SIGKILL", "^C"],
)
def test_server_is_shared_and_ends_with_its_last_user(data, start_user, end):
    first = start_user(data).started()
    second, third = start_user(data, group=first.pid), start_user(data, group=first.pid)
    second.started()
    third.started()
    assert len(servers(data)) == len(keepers(data)) == 1

    leave([first])
    assert len(servers(data)) == len(keepers(data)) == 1

    end([second, third])
    assert all_gone(data)
    assert not (data / "postmaster.pid").exists()


def test_next_user_adopts_the_server_of_a_killed_one(data, start_user):
    killed = start_user(data).started()
    server = postmaster(data)
    kill_keeper(data)
    killed.kill()
    assert server.is_running()

    adopter = start_user(data).started()

    assert postmaster(data) == server
    adopter.leave()
    assert all_gone(data)


def test_next_user_replaces_a_killed_keeper(data, start_user):
    first = start_user(data).started()
    kill_keeper(data)

    second = start_user(data).started()

    assert len(keepers(data)) == 1
    second.leave()
    first.leave()
    assert all_gone(data)


def test_start_that_was_killed_halfway_is_cleaned_up(data, start_user):
    user = start_user(data)
    assert wait_until((data / "postmaster.pid").exists, DEADLINE_S)

    user.kill()

    assert all_gone(data)


def test_killed_server_is_started_again_with_all_committed_data(data, server_on):
    server = server_on(data)
    with psycopg.connect(host=str(server.use()), user="postgres") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postmaster(data).kill()
    assert wait_until(lambda: not servers(data), DEADLINE_S)

    server.doubt()

    with psycopg.connect(host=str(server.use()), user="postgres") as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def process_of_postgresqls_account(script, *arguments):
    """Start a process that PostgreSQL would take for a server: for one of another account it would not."""
    account = "nobody" if os.geteuid() == 0 else None
    return subprocess.Popen(["/bin/sh", "-c", script, "sh", *arguments], stdin=subprocess.PIPE, user=account)


@pytest.mark.parametrize("owner", ["its own folder", "another folder"])
def test_foreign_process_in_the_pid_file_is_left_alone(data, start_user, owner):
    with process_of_postgresqls_account("read line") as foreign:
        named = data if owner == "its own folder" else data.parent
        lines = [foreign.pid, named, 1, 5432, data, "", "", "ready   "]
        (data / "postmaster.pid").write_text("\n".join(map(str, lines)))

        user = start_user(data).started()
        assert len(servers(data)) == 1
        user.leave()
        assert all_gone(data)

        assert foreign.poll() is None
        foreign.communicate()


def test_zombie_in_the_pid_file_is_not_taken_for_the_server(data, server_on):
    with process_of_postgresqls_account("exit") as zombie:
        wait_until(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE, DEADLINE_S)
        (data / "postmaster.pid").write_text(f"{zombie.pid}\n{data}\n")

        assert server_on(data).use() == data


@pytest.mark.parametrize("content", ["2147483647\n{data}\n", "words\n{data}\n", ""])
def test_pid_file_without_a_process_is_ignored(data, server_on, content):
    (data / "postmaster.pid").write_text(content.format(data=data))

    assert server_on(data).use() == data


def test_start_waits_for_a_server_that_is_ending(data, server_on):
    log = data / "server.log"
    with process_of_postgresqls_account("read line", data) as ending:
        (data / "postmaster.pid").write_text(f"{ending.pid}\n{data}\n")
        log.unlink(missing_ok=True)

        def end_when_it_is_noticed():
            assert wait_until(lambda: log.exists() and "already exists" in log.read_text(), DEADLINE_S)
            ending.communicate()

        thread = Thread(target=end_when_it_is_noticed)
        thread.start()

        assert server_on(data).use() == data
        thread.join()


def test_copy_of_a_running_folder_gets_its_own_server(data, place, start_user):
    original = start_user(data).started()
    before = postmaster(data)
    ignored = shutil.ignore_patterns(".s.PGSQL*")
    copy = shutil.copytree(data, place / "copy", ignore=ignored)

    copied = start_user(copy).started()

    assert postmaster(copy) != before
    copied.leave()
    assert all_gone(copy)
    assert postmaster(data) == before
    assert before.is_running()
    original.leave()
    assert all_gone(data)


TEN_AT_ONCE = """
import os, sys
from pathlib import Path
from tradingsite.embedded_postgres.server import EmbeddedPostgres

data = Path(sys.argv[1])
(go, start), (done, say), (stay, leave) = os.pipe(), os.pipe(), os.pipe()
for _ in range(10):
    if os.fork() == 0:
        os.close(start), os.close(leave)
        os.read(go, 1)
        try:
            EmbeddedPostgres(data, {"fsync": "off"}).use()
            os.write(say, (data / "postmaster.pid").read_bytes().split()[0] + b"\\n")
            os.read(stay, 1)
        finally:
            os._exit(0)
os.close(start), os.close(say)
with open(done) as answers:
    print([next(answers, None) for _ in range(10)])
"""


def test_ten_concurrent_cold_starts_make_one_server(place):
    data = place / "postgres"

    output = ast.literal_eval(run_python(TEN_AT_ONCE, data))

    assert len(output) == 10
    assert len(set(output)) == 1
    assert output[0]
    assert all_gone(data)


def test_start_after_a_kill_during_initdb_works(place, start_user, server_on):
    data = place / "postgres"
    user = start_user(data)
    assert wait_until(lambda: any(place.glob("postgres.new-*/PG_VERSION")), DEADLINE_S)
    user.kill()
    assert not data.exists()

    assert server_on(data).use() == data


SET_UP = """
import django
django.setup()
from django.conf import settings
print(settings.DATABASES["default"]["EMBEDDED_DIR"])
"""


def test_django_setup_starts_no_server(place):
    data = run_python(
        SET_UP, VAR_DIR=str(place), DJANGO_SETTINGS_MODULE="tradingsite.settings", DATABASE_URL=""
    ).strip()

    assert data.startswith(str(place))
    assert not list(place.glob("postgres*"))
