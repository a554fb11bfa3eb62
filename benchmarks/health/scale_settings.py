"""This site as `make scale-health` asks it: real panels, quick probes; COLD=1: no panel is ever kept."""

import os

from tradingsite.settings import *  # noqa: F403 - a settings module is its names
from tradingsite.settings import HEALTH_PROBES as _PROBES
from tradingsite.settings import STATUS_PANELS as _PANELS

ROOT_URLCONF = "benchmarks.health.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
SYSCONFIG_LISTEN = False
HEALTH_ABILITIES = []
HEALTH_PROBES = [
    {"name": entry["name"], "label": entry["label"], "probe": "benchmarks.health.urls.quick", "ttl_s": 600}
    for entry in _PROBES
]
_NEVER_KEPT = {"ttl_s": 0.001, "ttl_bad_s": 0.001} if os.environ.get("COLD") else {}
STATUS_PANELS = [{**entry, "timeout_s": 20, **_NEVER_KEPT} for entry in _PANELS]
