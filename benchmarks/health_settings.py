"""This site as the health benchmark asks it: quick probes, and one that hangs when it is told to."""

import os

from tradingsite.settings import *  # noqa: F403 - a settings module is its names

ROOT_URLCONF = "benchmarks.health_urls"
ALLOWED_HOSTS = ["127.0.0.1"]
SYSCONFIG_LISTEN = False
STATUS_PANELS = []
HEALTH_ABILITIES = []
HEALTH_PROBES = [
    {"name": "database", "probe": "healthcheck.probes.database", "ttl_s": 60},
    *({"name": f"quick_{n}", "probe": "benchmarks.health_urls.quick", "ttl_s": 60} for n in range(4)),
    {
        "name": "last",
        "probe": f"benchmarks.health_urls.{'stuck' if os.environ.get('STUCK') else 'quick'}",
        "timeout_s": 1,
        "ttl_s": 60,
        "ttl_bad_s": 1,
    },
]
