"""Settings of a process that does nothing but read runtime settings: it starts in a third of the time."""

import logging

from tradingsite.database import databases
from tradingsite.env import environment

_env = environment()

INSTALLED_APPS = ["sysconfig.apps.SysconfigConfig"]
DATABASES = databases(_env)
USE_TZ = True
SYSCONFIG_LISTEN = True

logging.basicConfig(level=_env.log_level)
