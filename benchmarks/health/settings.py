"""This site with its real settings; EXTRA_PROBE adds a probe that is counted or one that hangs."""

import os
from typing import Any

from tradingsite.settings import *  # noqa: F403 - a settings module is its names
from tradingsite.settings import HEALTH_PROBES

ROOT_URLCONF = "benchmarks.health.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
_EXTRA: dict[str, dict[str, Any]] = {
    "counted": {"name": "counted", "probe": "benchmarks.health.urls.counted", "ttl_s": 60},
    "stuck": {
        "name": "stuck",
        "probe": "benchmarks.health.urls.stuck",
        "timeout_s": 1,
        "ttl_s": 60,
        "ttl_bad_s": 1,
    },
}
if name := os.environ.get("EXTRA_PROBE"):
    HEALTH_PROBES += [_EXTRA[name]]
