"""The project's settings, and the app with migrations to try."""

from tradingsite.settings import *  # noqa: F403 - a settings module is its names
from tradingsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.upgrade.planted.apps.PlantedConfig"]
