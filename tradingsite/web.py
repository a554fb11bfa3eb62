"""gunicorn's configuration: `gunicorn --config python:tradingsite.web tradingsite.wsgi`."""

import sys

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
graceful_timeout = 3
keepalive = 5
preload_app = False  # pools, listeners and health threads belong to a worker; they do not survive a fork
control_socket_disable = True  # else it writes into the home folder
logconfig_dict = logs.logging_config(_log_format, _env.log_level)
