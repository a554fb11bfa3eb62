"""The project's settings, an app with migrations to try, and a short wait for locks."""

from tradingsite.settings import *  # noqa: F403 - a settings module is its names
from tradingsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.upgrade.planted.apps.PlantedConfig"]
