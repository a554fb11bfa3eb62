"""The documented backup and restore, command by command, against real servers."""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.databases import Database, copy
from tests.embedded_postgres.processes import stop_using
from tests.site.processes import own_environ, processes_on
from tradingsite.embedded_postgres.programs import binaries
from tradingsite.embedded_postgres.server import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]


def documented(page, heading):
    """Return the commands of each block of a section."""
    section = (ROOT / "docs" / page).read_text().split(f"## {heading}")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [re.findall(r"^ *\$ (.+)$", block, re.MULTILINE) for block in blocks]


COMMANDS = documented("operations.md", "Backup and restore")
DUMP, RESTORE_HERE, RESTORE_ELSEWHERE, AFTER = COMMANDS
DOCUMENTED_URL = "postgresql://trader@db.example.com/trading_restored"
FILL = """
from sysconfig.models import SystemConfig
from tests.orders.book import placed
placed(state="DONE", executed_volume=1, executed_funds=100, paid_fee=1)
placed(identifier="a-2", state="UNKNOWN")
placed(identifier="a-3", market="KRW-ETH", state="PLANNED")
SystemConfig.objects.set_value("stop_loss_pct", "4.5")
SystemConfig.objects.set_value("markets", "KRW-BTC,KRW-ETH")
"""
CHANGE = "UPDATE system_config SET value = '7.5' WHERE key = 'stop_loss_pct'"
NEWEST_CHANGE = """
SELECT old_value, new_value FROM system_config_change WHERE key = 'stop_loss_pct' ORDER BY id DESC LIMIT 1
"""


class Checkout:
    """A folder in which the documented commands run as written, with its own `manage.py` and `var`."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        command = folder / "manage.py"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/manage.py "$@"\n')
        command.chmod(0o755)
        self.environ = own_environ(VAR_DIR=str(folder / "var"), **variables)
        self.environ["PATH"] = f"{folder}:{binaries()}:{self.environ['PATH']}"

    def run(self, *commands: str) -> str:
        """Run these in one shell until the first that fails; return what they print."""
        finished = subprocess.run(
            ["bash", "-euc", "\n".join(commands)],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout


def contents(database: Database) -> list[str]:
    """Return every row, sequence, trigger, function and table of a database, by lines."""
    dump = subprocess.run(
        [binaries() / "pg_dump", "--inserts", "--restrict-key=x", "--no-owner", database.url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # PostgreSQL itself writes the casts of an `= ANY (ARRAY[…])` in another way each time.
    return sorted(line for line in dump.splitlines() if line and "ANY (" not in line)


@pytest.fixture
def folder():
    # Not tmp_path: as root that is closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="backup-"))
    folder.chmod(0o711)
    yield folder
    _gone, left = psutil.wait_procs(processes_on(folder), timeout=60)  # the server ends after its last user
    assert not left
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def filled(databases):
    """A database with orders and changed settings."""
    database = databases.migrated()
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", FILL],
        cwd=ROOT,
        env=own_environ(DATABASE_URL=database.url),
        check=True,
    )
    return database


@pytest.fixture
def embedded():
    """Use the embedded servers of a checkout in this process until the test is over."""
    used = []

    def use(data):
        used.append(EmbeddedPostgres(data))
        return Database(f"postgresql://postgres@/postgres?host={used[-1].use()}")

    yield use
    for server in used:
        stop_using(server)


@dataclass
class Case:
    """One way to restore."""

    checkout: Checkout
    dumped: Database
    commands: list[str]
    restored: Callable[[], Database]


@pytest.fixture
def with_the_projects_own_server(folder, filled, embedded):
    dumped = embedded(folder / "var" / "postgres")
    copy(filled, dumped)
    restored = folder / "var" / "postgres-restored"
    return Case(Checkout(folder), dumped, RESTORE_HERE, lambda: embedded(restored))


@pytest.fixture
def with_a_server_of_ones_own(folder, filled, databases):
    dumped, restored = databases.create(filled), databases.at(databases.name())
    commands = [command.replace(DOCUMENTED_URL, shlex.quote(restored.url)) for command in RESTORE_ELSEWHERE]
    return Case(Checkout(folder, DATABASE_URL=dumped.url), dumped, commands, lambda: restored)


@pytest.mark.parametrize("case", ["with_the_projects_own_server", "with_a_server_of_ones_own"])
def test_restored_database_equals_the_dumped_one_and_works(case, request):
    case = request.getfixturevalue(case)
    dump = case.checkout.folder / "trading.dump"
    before = contents(case.dumped)

    case.checkout.run(*DUMP)
    case.dumped.query(CHANGE)
    later = contents(case.dumped)
    case.checkout.run(*case.commands)

    assert dump.stat().st_mode & 0o077 == 0, "it holds password hashes"
    assert contents(case.dumped) == later != before
    restored = case.restored()
    assert contents(restored) == before
    for table, rows in {"trading_order": 3, "database_mode": 1, "system_config_change": 15}.items():
        assert sum(f"INSERT INTO public.{table} " in line for line in before) >= rows
    assert any("setval" in line for line in before)

    set_value = "manage.py sysconfig set stop_loss_pct 4 --yes"
    case.checkout.run(case.commands[0], *AFTER, set_value)
    assert restored.query(NEWEST_CHANGE) == [("4.5", "4")]
    with pytest.raises(psycopg.Error, match="system_config_change"):
        restored.query("DELETE FROM system_config_change")


def test_korean_page_has_the_same_commands():
    assert documented("operations.ko.md", "백업과 복원") == COMMANDS


def test_data_alone_does_not_restore_the_settings(filled, databases, folder):
    """The reason for the page's warning."""
    restored = databases.migrated()
    checkout = Checkout(folder, DATABASE_URL=restored.url)
    checkout.run(
        f"pg_dump --format=custom --file=trading.dump {shlex.quote(filled.url)}",
        "manage.py postgres pg_restore --data-only --disable-triggers trading.dump || true",
    )

    assert restored.query("SELECT value FROM system_config WHERE key = 'stop_loss_pct'") == [("5.0",)]
    assert restored.query("SELECT count(*) FROM trading_order") == [(3,)]


def test_missing_program_is_named_with_what_to_install(folder):
    checkout = Checkout(folder, DATABASE_URL="postgresql://trader@127.0.0.1:1/trading")

    output = checkout.run(f"PATH=/nonexistent {folder}/manage.py postgres pg_dump 2>&1 || test $? = 1")

    assert "pg_dump is not in PATH. Install the client programs of your server's release" in output


def test_command_gives_the_exit_status_of_its_program(folder):
    checkout = Checkout(folder, DATABASE_URL="postgresql://trader@127.0.0.1:1/trading")

    output = checkout.run("manage.py postgres pg_dump --no-such-option 2>/dev/null || echo ended with $?")

    assert output == "ended with 1\n"
