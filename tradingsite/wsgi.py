"""The web process's entry point: `gunicorn tradingsite.wsgi`."""

import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")

application = get_wsgi_application()

from tradingsite.jobs import tasks  # noqa: E402, F401 - with the clients, before threads would import them at once
from tradingsite.startup import WORKER_BOOT_ERROR, CannotStart, guard_web_process  # noqa: E402 - needs the apps

try:
    guard_web_process()
except CannotStart as reason:
    sys.stderr.write(f"{reason}\n")
    sys.exit(WORKER_BOOT_ERROR)
