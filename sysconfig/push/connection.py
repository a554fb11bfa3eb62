"""Connections to the server itself, past any pooler: for what belongs to one session, as a lock does."""

from typing import Any, TypeVar

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

C = TypeVar("C", bound="psycopg.Connection[Any]")

# For Django's own connections only.
_DJANGOS = ("cursor_factory", "context", "prepare_threshold")


def parameters(
    wrapper: BaseDatabaseWrapper, *, application_name: str, options: str = "", **limits: Any
) -> dict[str, Any]:
    """Return what psycopg connects with: Django's address with what `DIRECT` of its settings replaces.

    `options` are added to those of the address, whose search_path holds here too; `limits` replace others.
    An embedded server is started when it doesn't run.
    """
    own: dict[str, Any] = {
        name: value for name, value in wrapper.get_connection_params().items() if name not in _DJANGOS
    } | wrapper.settings_dict.get("DIRECT", {})
    return own | {
        **limits,
        "autocommit": True,
        "application_name": application_name,
        "options": f"{own.get('options', '')} {options}".strip(),
    }


def direct_connect(cls: type[C], wrapper: BaseDatabaseWrapper, **own: Any) -> C:
    """Open a connection of this class with the `parameters` of `own`.

    Raises:
        psycopg.OperationalError: the database does not answer.
    """
    try:
        return cls.connect(**parameters(wrapper, **own))
    except psycopg.OperationalError:
        # A killed embedded server leaves its socket file, which would keep another from being started.
        if server := getattr(wrapper, "server", None):
            server.doubt()
        raise
