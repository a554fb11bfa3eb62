"""Checks that a process may start: live mode needs its keys, and the database must be of the same mode."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import structlog
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, OperationalError, ProgrammingError, connections

from tradingsite.models import DatabaseMode

logger = structlog.get_logger(__name__)

# gunicorn's exit code for "this worker can never start": its master stops instead of retrying for ever.
WORKER_BOOT_ERROR = 3
_RETRY_S = 1.0


class CannotStart(Exception):
    """The process must end; the message says why and what to do."""


def missing_keys() -> list[str]:
    needed = ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY", "GEMINI_API_KEY")
    return [name for name in needed if settings.LIVE and not getattr(settings, name)]


def refuse_missing_keys() -> None:
    """Raise `CannotStart` if live mode lacks a key."""
    if missing := missing_keys():
        raise CannotStart(
            f"TRADING_MODE is live, but {', '.join(missing)} is not set: set it, or use sandbox mode."
        )


def refuse_other_mode(using: str = DEFAULT_DB_ALIAS) -> None:
    """Raise `CannotStart` if the database belongs to the other mode.

    A database without a mode is new; its first `migrate` sets the mode.

    Raises:
        OperationalError: the database does not answer, so its mode is unknown.
    """
    try:
        stamped = DatabaseMode.objects.using(using).values_list("mode", flat=True).first()
    except ProgrammingError:  # not migrated yet; the health page says so
        return
    if stamped and stamped != settings.TRADING_MODE:
        raise CannotStart(
            f"TRADING_MODE is {settings.TRADING_MODE}, but this database belongs to {stamped} mode. "
            f"Set TRADING_MODE={stamped}, or name another database: DATABASE_URL, EMBEDDED_POSTGRES_DIR."
        )


def refuse_unless_ready() -> None:
    """Raise `CannotStart` for a missing key or the other mode's database, `OperationalError` if unknown."""
    refuse_missing_keys()
    refuse_other_mode()


def guard_web_process() -> None:
    """Raise `CannotStart` if this web process may not run.

    While the database is down the process runs, so that its health page can say so. If the database later
    turns out to be of the other mode, the process ends.
    """
    try:
        refuse_unless_ready()
    except OperationalError:
        threading.Thread(target=_refuse_when_known, name="start-guard", daemon=True).start()
    finally:
        connections.close_all()


def _refuse_when_known() -> None:
    while True:
        time.sleep(_RETRY_S)
        try:
            refuse_other_mode()
        except OperationalError:
            continue
        except CannotStart as reason:
            logger.critical("start.refused", reason=str(reason))
            logging.shutdown()
            os._exit(WORKER_BOOT_ERROR)
        finally:
            connections.close_all()
        return


def refuse_to_migrate(*, using: str, **_: Any) -> None:
    """Raise CommandError instead of migrating the other mode's database (a `pre_migrate` receiver)."""
    try:
        refuse_other_mode(using)
    except CannotStart as reason:
        raise CommandError(str(reason), returncode=2) from reason


def stamp_mode(*, using: str, **_: Any) -> None:
    """Set the mode of a database that has none (a `post_migrate` receiver)."""
    DatabaseMode.objects.using(using).get_or_create(pk=1, defaults={"mode": settings.TRADING_MODE})


@checks.register()
def live_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn about missing keys without which web and scheduler will not start."""
    return [
        checks.Warning(
            f"{name} is not set",
            hint="Live mode needs it: web and scheduler refuse to start.",
            id="tradingsite.W001",
        )
        for name in missing_keys()
    ]
