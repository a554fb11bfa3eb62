"""The suite's own database, for processes that a test starts."""

import os

from django.db import connection


def url() -> str:
    known = connection.get_connection_params()
    return f"postgresql://{known['user']}@/{known['dbname']}?host={known['host']}"


def environment(settings: str) -> dict[str, str]:
    """Return what leads a process with this settings module to the database."""
    return {**os.environ, "DATABASE_URL": url(), "DJANGO_SETTINGS_MODULE": settings}
