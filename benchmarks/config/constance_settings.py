"""Settings of the process that reads through django-constance; no part of the project knows it."""

from tradingsite.settings import *  # noqa: F403 - a settings module is its names
from tradingsite.settings import INSTALLED_APPS

INSTALLED_APPS += ["constance"]
CONSTANCE_BACKEND = "constance.backends.database.DatabaseBackend"
CONSTANCE_DATABASE_CACHE_BACKEND = "default"
CACHES = {"default": {"BACKEND": "benchmarks.config.dict_cache.DictCache"}}
CONSTANCE_CONFIG = {"stop_loss_pct": (5.0, "Sold when a position has lost so much.")}
SYSCONFIG_LISTEN = False
