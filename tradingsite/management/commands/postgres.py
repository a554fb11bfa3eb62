"""Runs one of PostgreSQL's own programs on the project's database (docs/operations.md, "Backup")."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils.translation import gettext as _

from tradingsite.embedded_postgres.programs import binaries

PROGRAMS = ("pg_dump", "pg_restore", "createdb")  # psql is `dbshell`
_VARIABLES = {  # not `options`: the site's limit of 15 s a statement is not for a backup
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}


class Command(BaseCommand):
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _("Run one of PostgreSQL's programs on the project's database.")
        parser.add_argument("program", choices=PROGRAMS)
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help=_("The program's own arguments."))

    def handle(self, *, program: str, arguments: Sequence[str], **options: Any) -> None:
        address = connection.get_connection_params() | connection.settings_dict["DIRECT"]
        variables = {
            variable: str(address[name]) for name, variable in _VARIABLES.items() if address.get(name)
        }
        if program == "pg_restore":  # the only one that does not take PGDATABASE
            arguments = ["--dbname", variables["PGDATABASE"], *arguments]
        # A dump holds password hashes and sessions: its file is its owner's alone.
        finished = subprocess.run(  # noqa: S603 - the operator's own command
            [_path(program), *arguments], env={**os.environ, **variables}, check=False, umask=0o077
        )
        if finished.returncode:
            sys.exit(finished.returncode)


def _path(program: str) -> Path | str:
    """Return the embedded server's own program, else the installed one: it must suit the server's release."""
    if connection.settings_dict["EMBEDDED_DIR"] is not None:
        return binaries() / program
    if found := shutil.which(program):
        return found
    raise CommandError(
        f"{program} is not in PATH. Install the client programs of your server's release, "
        "e.g. postgresql-client-16."
    )
