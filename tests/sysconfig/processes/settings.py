"""Settings of the processes that these tests run: the project's, and ways to read a process's values."""

from tradingsite.settings import *  # noqa: F403 - a settings module is its names
from tradingsite.settings import STORAGES

ROOT_URLCONF = "tests.sysconfig.processes.urls"
JOBS_SCHEDULE = "tests.sysconfig.processes.timetable.READING"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
