"""System check: warns when LISTEN would go through a connection pooler, where notifications get lost."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 - Django's name for it

_POOLER_PORT = "6432"  # the default of PgBouncer and similar poolers
_POOLER_WORDS = ("bouncer", "pooler")


@register("sysconfig")
def direct_address(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn when the address of the listener's connection looks like a pooler."""
    return [
        Warning(
            f"DATABASES[{alias!r}]: {where} looks like a connection pooler, and changes of the runtime "
            "configuration are not received through one in transaction mode.",
            hint="Set DATABASE_DIRECT_URL to the address of the server itself. If the pooler keeps sessions, "
            "silence this warning with SILENCED_SYSTEM_CHECKS.",
            id="sysconfig.W001",
        )
        for alias, database in settings.DATABASES.items()
        if (where := _pooler(database))
    ]


def _pooler(database: Mapping[str, Any]) -> str | None:
    """Return `host:port` of the direct address if it looks like a pooler."""
    direct = database.get("DIRECT", {})
    host = str(direct.get("host", database.get("HOST", "")))
    port = str(direct.get("port", database.get("PORT", "")))
    pooled = port == _POOLER_PORT or any(word in host.lower() for word in _POOLER_WORDS)
    return f"{host or 'localhost'}:{port or '5432'}" if pooled else None
