"""Settings of the test suite: the project's own, on a PostgreSQL of its own, with cheap password hashes."""

from tradingsite.settings import *  # noqa: F403 - a settings module is its names
from tradingsite.settings import DATABASES, STATIC_ROOT, STORAGES, VAR_DIR

# Never the database that DATABASE_URL names.
DATABASES["default"] |= {
    "NAME": "postgres",
    "USER": "postgres",
    "PASSWORD": "",
    "PORT": "",
    "DIRECT": {},
    "EMBEDDED_DIR": VAR_DIR / "postgres-test",
    "EMBEDDED_RELOCATABLE": True,
    "EMBEDDED_SETTINGS": {"fsync": "off"},
}
# In production a request gives up after 3 s; on a busy machine a new connection may take as long.
DATABASES["default"]["OPTIONS"]["pool"] = {**DATABASES["default"]["OPTIONS"]["pool"], "timeout": 60}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SYSCONFIG_LISTEN = False  # a test that is about it starts its own
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns without it
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
