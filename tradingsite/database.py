"""Builds `DATABASES` from the environment: the embedded PostgreSQL, or the server named by `DATABASE_URL`."""

from typing import Any

from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from tradingsite.env import Environment

_LIMITS = "-c statement_timeout=15000 -c lock_timeout=5000"
_OPTIONS: dict[str, Any] = {
    # A request waits 3 s for a connection. After an outage the pool works again within 2 s.
    "pool": {"min_size": 2, "max_size": 20, "timeout": 3, "reconnect_timeout": 2},
    "connect_timeout": 3,
    "application_name": "tradingsite",
    "options": _LIMITS,
    "isolation_level": IsolationLevel.READ_COMMITTED,
    # A server that is gone is detected after about 9 s (TCP only).
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 9000,
}


def databases(env: Environment) -> dict[str, dict[str, Any]]:
    """Return Django's `DATABASES`. Starts and connects nothing.

    `DIRECT` holds the parameters that differ for connections that must not go through a pooler.
    """
    default: dict[str, Any] = {
        "ENGINE": "tradingsite.embedded_postgres",
        "CONN_HEALTH_CHECKS": False,  # the backend checks each connection itself, without the pool's backoff
        "DISABLE_SERVER_SIDE_CURSORS": True,  # a transaction pooler may be in use
        "OPTIONS": {**_OPTIONS},
        "DIRECT": _parts(env.database_direct_url) if env.database_direct_url else {},
        "EMBEDDED_DIR": None,
        "EMBEDDED_SETTINGS": {},
    }
    if env.database_url is None:
        own = {
            "NAME": "postgres",
            "USER": "postgres",
            "EMBEDDED_DIR": env.embedded_postgres_dir,
            # A folder that the operator has named is used, or it is an error.
            "EMBEDDED_RELOCATABLE": env.embedded_postgres_dir == env.var_dir / "postgres",
        }
        return {"default": default | own}
    parts = _parts(env.database_url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    default |= {setting: parts.pop(name, "") for setting, name in names.items()}
    if "options" in parts:
        parts["options"] = f"{_LIMITS} {parts['options']}"  # the last value counts: the operator's
    default["OPTIONS"] |= parts  # parameters in the URL, e.g. sslmode, override ours
    return {"default": default}


def _parts(url: SecretStr) -> dict[str, Any]:
    return dict(conninfo_to_dict(url.get_secret_value()))
