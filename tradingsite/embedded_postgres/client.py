"""`manage.py dbshell` for the embedded server."""

from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql import client

from tradingsite.embedded_postgres.programs import binaries


class DatabaseClient(client.DatabaseClient):
    """Runs psql: the embedded server's own, or the installed one for another server."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        command, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        if settings_dict.get("EMBEDDED_DIR") is not None:
            command[0] = str(binaries() / "psql")
        return command, environment

    def runshell(self, parameters: Iterable[str]) -> None:
        """Run psql; an embedded server is started first."""
        self.connection.get_connection_params()
        super().runshell(parameters)
