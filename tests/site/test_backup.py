"""The documented backup and restore, command by command, against real servers."""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.site.processes import own_environ, processes_on
from tradingsite.embedded_postgres.programs import binaries

ROOT = Path(__file__).resolve().parents[2]


def documented(page, heading):
    """Return the commands of each block of a section."""
    section = (ROOT / "docs" / page).read_text().split(f"## {heading}")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [re.findall(r"^ *\$ (.+)$", block, re.MULTILINE) for block in blocks]


COMMANDS = documented("operations.md", "Backup and restore")
DUMP, RESTORE_HERE, RESTORE_ELSEWHERE, AFTER = COMMANDS
DOCUMENTED_URL = "postgresql://trader@db.example.com/trading_restored"
SEED = """
from tests.orders.book import placed
placed(state="DONE", executed_volume=1, executed_funds=100, paid_fee=1)
placed(identifier="a-2", state="UNKNOWN")
placed(identifier="a-3", market="KRW-ETH", state="PLANNED")
"""
CHANGE_THE_PAST = "manage.py dbshell -- --no-psqlrc --command='DELETE FROM system_config_change'"


class Checkout:
    """A folder in which the commands run as they are written, with a `var` and a `manage.py` of its own."""

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

    def contents(self, *name_it: str) -> list[str]:
        """Return every row, sequence, trigger, function and table of a database, by lines."""
        dump = self.run(*name_it, "manage.py postgres pg_dump --inserts --restrict-key=x --no-owner")
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


@pytest.fixture(params=["our own server", "a server of theirs"])
def restored(request, folder):
    """Return a checkout whose database has been restored, and the commands that name that database."""
    if request.param == "our own server":
        checkout, commands = Checkout(folder), RESTORE_HERE
    else:
        server = request.getfixturevalue("own_server")
        server.execute("CREATE DATABASE trading")
        checkout = Checkout(folder, DATABASE_URL=server.url.replace("/postgres?", "/trading?"))
        new = shlex.quote(server.url.replace("/postgres?", "/trading_restored?"))
        commands = [command.replace(DOCUMENTED_URL, new) for command in RESTORE_ELSEWHERE]
    checkout.run("manage.py migrate --verbosity=0", f"manage.py shell --command={shlex.quote(SEED)}")
    checkout.run(
        "manage.py sysconfig set stop_loss_pct 4.5 --yes", "manage.py sysconfig set markets KRW-BTC,KRW-ETH"
    )
    dumped = checkout.contents()
    checkout.run(*DUMP)
    assert (folder / "trading.dump").stat().st_mode & 0o077 == 0  # it holds password hashes
    checkout.run("manage.py sysconfig set stop_loss_pct 7.5 --yes")  # later than the dump
    later = checkout.contents()
    checkout.run(*commands)
    assert checkout.contents() == later  # the old one stays as it is
    return checkout, commands[0], dumped


def test_a_restored_database_is_the_one_that_was_dumped_and_works(restored):
    checkout, name_it, dumped = restored

    assert checkout.contents(name_it) == dumped
    for table, rows in {
        "trading_order": 3,
        "database_mode": 1,
        "system_config_change": 15,
    }.items():
        assert sum(f"INSERT INTO public.{table} " in line for line in dumped) >= rows
    assert any("setval" in line for line in dumped)

    checkout.run(name_it, *AFTER, "manage.py sysconfig set stop_loss_pct 4 --yes")
    newest = checkout.run(name_it, "manage.py sysconfig history stop_loss_pct --limit 1")
    assert "4.5 → 4" in newest
    checkout.run(name_it, f"! {CHANGE_THE_PAST}")


def test_the_korean_page_has_the_same_commands():
    assert documented("operations.ko.md", "백업과 복원") == COMMANDS


def test_data_alone_brings_no_setting_back(folder):
    """The reason for the page's warning."""
    checkout = Checkout(folder)
    checkout.run("manage.py migrate --verbosity=0", f"manage.py shell --command={shlex.quote(SEED)}")
    checkout.run("manage.py sysconfig set stop_loss_pct 4.5 --yes", *DUMP)

    name_it = RESTORE_HERE[0]
    checkout.run(
        name_it,
        "manage.py migrate --verbosity=0",
        "manage.py postgres pg_restore --data-only --disable-triggers trading.dump || true",
    )

    assert checkout.run(name_it, "manage.py sysconfig get stop_loss_pct").strip() == "5.0"
    rows = checkout.contents(name_it)
    assert sum("INSERT INTO public.trading_order " in line for line in rows) == 3


def test_a_missing_program_is_named_with_what_to_install(folder):
    checkout = Checkout(folder, DATABASE_URL="postgresql://trader@127.0.0.1:1/trading")

    told = checkout.run(f"PATH=/nonexistent {folder}/manage.py postgres pg_dump 2>&1 || test $? = 1")

    assert "pg_dump is not in PATH. Install the client programs of your server's release" in told


def test_a_program_that_fails_gives_its_exit_status(folder):
    told = Checkout(folder).run(
        "manage.py postgres pg_dump --no-such-option 2>/dev/null || echo ended with $?"
    )

    assert told == "ended with 1\n"
