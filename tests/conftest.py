"""The suite's databases, and the state of the process that each test starts with."""

import fcntl
import math
import os

import pytest
from django.conf import settings
from django.core.signals import setting_changed
from django.db import connection
from django.dispatch import receiver
from django.test import TransactionTestCase
from django.utils import translation

from healthcheck.engine.engine import forget_engine
from sysconfig.models import SystemConfig
from tests import forked, pristine
from tests.databases import Databases

pytest_plugins = ["tests.leaks"]

TEMPLATE = "test_template"


def pytest_sessionfinish():
    forked.end_server()


def pytest_terminal_summary(terminalreporter, config):
    seed = config.getoption("randomly_seed", None)
    if seed is not None and {"failed", "error"} & terminalreporter.stats.keys():
        terminalreporter.write_line(f"--randomly-seed={seed} repeats the order and the random values.")


@pytest.fixture(scope="session")
def migrated_template(tmp_path_factory, django_test_environment, django_db_blocker):
    """The name of a database as `migrate` leaves it, made once for all workers. The next run replaces it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made = folder / "template-made"
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with django_db_blocker.unblock():
                _make_template()
            made.touch()
    return TEMPLATE


def _make_template():
    before, test = connection.settings_dict["NAME"], connection.settings_dict["TEST"]
    name, test["NAME"] = test["NAME"], TEMPLATE
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()
    # A database with an open session can't be copied.
    connection.close_pool()  # type: ignore[attr-defined]  # our backend's
    test["NAME"] = name
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = before


@pytest.fixture(scope="session")
def django_db_modify_db_settings(migrated_template, django_db_modify_db_settings_parallel_suffix):
    connection.settings_dict["TEST"] |= {"TEMPLATE": migrated_template, "MIGRATE": False}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Make the test database, keep its rows, and have them put back after each test that commits."""
    with django_db_blocker.unblock():
        pristine.keep()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", pristine.put_back)
        yield


@pytest.fixture(scope="session")
def databases(migrated_template):
    """Databases of a test's own, on the suite's server."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    host = connection.server.use()  # type: ignore[attr-defined]  # our backend's
    made = Databases(host, f"test_{worker}", migrated_template)
    yield made
    made.drop()


@receiver(setting_changed)
def forget_what_was_made_of_settings(*, setting, **_kwargs):
    if setting in {"HEALTH_PROBES", "HEALTH_ABILITIES", "STATUS_PANELS", "VERSION"}:
        forget_engine()


@pytest.fixture(autouse=True)
def fresh_process():
    # The flush after a transactional test fires no signals and no triggers.
    SystemConfig.cache.start_over()
    SystemConfig.cache.invalidate_many((), lease_until=math.inf)  # no listener runs here to extend the lease
    forget_engine()
    translation.deactivate()  # a request leaves its language active
