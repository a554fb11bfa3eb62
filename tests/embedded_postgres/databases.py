"""Django's connections to the servers of these tests."""

from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db.utils import ConnectionHandler

POOL = {"min_size": 2, "max_size": 20, "timeout": 60, "reconnect_timeout": 2}


def database(data: Path | None, *, host: str = "", pool: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the setting of a database: on the embedded server of folder `data`, or on `host`."""
    return {
        "ENGINE": "tradingsite.embedded_postgres",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": host,
        "PORT": "5432" if host else "",
        "EMBEDDED_DIR": data,
        "EMBEDDED_SETTINGS": {"fsync": "off"},
        "OPTIONS": {"connect_timeout": 30, **({"pool": pool} if pool else {})},
    }


def connections_to(data: Path | None, *, host: str = "", pool: dict[str, Any] | None = None) -> Any:
    """Return a ConnectionHandler whose alias `own` leads there: not `default`, as pools are kept by alias."""
    return ConnectionHandler({"default": {}, "own": database(data, host=host, pool=pool)})


def set_up_django(data: Path) -> None:
    """Set up Django in a fresh process, with one pooled database and no apps."""
    settings.configure(DATABASES={"default": database(data, pool=POOL)}, INSTALLED_APPS=[])
    django.setup()
