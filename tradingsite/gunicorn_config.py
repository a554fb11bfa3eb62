"""gunicorn's configuration: `gunicorn --config python:tradingsite.gunicorn_config tradingsite.wsgi`."""

import signal
import sys
from types import FrameType
from typing import Any

from tradingsite import logs
from tradingsite.env import InvalidEnvironment, environment

try:
    _env = environment()
except InvalidEnvironment as error:
    sys.exit(f"{error}")
_log_format = logs.chosen_format(_env.log_format)
logs.configure(_log_format, _env.log_level)

bind = _env.web_address
workers = _env.web_workers
worker_class = "gthread"
threads = 8
timeout = 30
graceful_timeout = _env.web_drain_s + 3
keepalive = 5
preload_app = False  # pools, listeners and health threads do not survive a fork
control_socket_disable = True  # otherwise it writes into the home folder


def post_worker_init(worker: Any) -> None:
    """Make a worker go on answering for `WEB_DRAIN_S` seconds after SIGTERM; it still has the socket."""
    from healthcheck.middleware import begin_draining  # imported here: only a worker has loaded Django

    def drain(signum: int, frame: FrameType | None) -> None:
        begin_draining(_env.web_drain_s, lambda: worker.handle_exit(signum, frame))

    if _env.web_drain_s:
        signal.signal(signal.SIGTERM, drain)


logconfig_dict = logs.logging_config(_log_format, _env.log_level)
