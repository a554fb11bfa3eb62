"""Opens connections directly to the server, past any pooler, as LISTEN and session locks need them."""

from typing import Any, TypeVar

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

C = TypeVar("C", bound="psycopg.Connection[Any]")

# Parameters that only Django's own connections need.
_DJANGO_ONLY = ("cursor_factory", "context", "prepare_threshold")


def parameters(
    wrapper: BaseDatabaseWrapper, *, application_name: str, options: str = "", **limits: Any
) -> dict[str, Any]:
    """Return psycopg's parameters: Django's, overridden by `DIRECT` in the database's settings.

    `options` are added to those of the address, so that its search_path applies; `limits` replace parameters.
    An embedded server is started if it is not running.
    """
    own: dict[str, Any] = {
        name: value for name, value in wrapper.get_connection_params().items() if name not in _DJANGO_ONLY
    } | wrapper.settings_dict.get("DIRECT", {})
    return own | {
        **limits,
        "autocommit": True,
        "application_name": application_name,
        "options": f"{own.get('options', '')} {options}".strip(),
    }


def direct_connect(cls: type[C], wrapper: BaseDatabaseWrapper, **own: Any) -> C:
    """Open a connection of this class with the `parameters` given as `own`.

    Raises:
        psycopg.OperationalError: the database does not answer.
    """
    try:
        return cls.connect(**parameters(wrapper, **own))
    except psycopg.OperationalError:
        # A killed embedded server leaves its socket file behind; without this no new server would be started.
        if server := getattr(wrapper, "server", None):
            server.doubt()
        raise
