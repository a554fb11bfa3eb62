"""`manage.py postgres`: runs a PostgreSQL program on the project's database.

See docs/operations.md, "Backup and restore".
"""

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

PROGRAMS = ("pg_dump", "pg_restore", "createdb")  # for psql there is `dbshell`
_VARIABLES = {  # without `options`: its statement timeout of 15 s is too short for a backup
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
        if program == "pg_restore":  # the only one that ignores PGDATABASE
            arguments = ["--dbname", variables["PGDATABASE"], *arguments]
        # A dump contains password hashes and sessions, so only its owner may read the file.
        finished = subprocess.run(  # noqa: S603 - the operator's own command
            [_path(program), *arguments], env={**os.environ, **variables}, check=False, umask=0o077
        )
        if finished.returncode:
            sys.exit(finished.returncode)


def _path(program: str) -> Path | str:
    """Return the embedded server's own program, else the installed one.

    Its release must match the server's.
    """
    if connection.settings_dict["EMBEDDED_DIR"] is not None:
        return binaries() / program
    if found := shutil.which(program):
        return found
    raise CommandError(
        f"{program} is not in PATH. Install the client programs of your server's release, "
        "e.g. postgresql-client-16."
    )
