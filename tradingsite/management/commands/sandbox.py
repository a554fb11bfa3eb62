import errno
import signal
from argparse import ArgumentParser
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from tradingsite.sandbox.markets import markets
from tradingsite.sandbox.options import DEFAULT_SEED
from tradingsite.sandbox.server import SandboxServer

logger = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Run the local exchange and model host on loopback until SIGTERM or Ctrl-C (docs/sandbox.md)."
    requires_system_checks = ()  # it needs neither the site nor the database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.SANDBOX_PORT, help="0 takes a free one.")
        parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="Another seed, other prices.")

    def handle(self, *, port: int | None, seed: int, **options: Any) -> None:
        if port is None:  # live mode has no sandbox of its own
            raise CommandError(_("no port is set: set SANDBOX_PORT, or --port, to a free one"))
        server = _bound(port, seed)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        logger.info("sandbox.started", url=server.url, seed=seed, markets=len(markets()))
        server.serve()
        server.close()
        logger.info("sandbox.stopped")


def _bound(port: int, seed: int) -> SandboxServer:
    try:
        return SandboxServer(port=port, seed=seed)
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = _("it is taken") if taken else str(error)
        message = _("cannot listen on port %(port)d: %(reason)s. Set SANDBOX_PORT, or --port, to a free one.")
        raise CommandError(message % {"port": port, "reason": reason}) from error
