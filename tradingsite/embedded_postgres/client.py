"""`manage.py dbshell`."""

from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql import client

from tradingsite.embedded_postgres.programs import binaries


class DatabaseClient(client.DatabaseClient):
    """psql: the embedded server's own, or the one that is installed for a server of somebody else's."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        command, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        if settings_dict.get("EMBEDDED_DIR") is not None:
            command[0] = str(binaries() / "psql")
        return command, environment

    def runshell(self, parameters: Iterable[str]) -> None:
        """Run psql until it ends; an embedded server runs by then."""
        self.connection.get_connection_params()
        super().runshell(parameters)
