"""What every test begins with: nothing remembered by the process from the test before."""

import math

import pytest
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.test import TransactionTestCase
from django.utils import translation

from healthcheck.engine.engine import forget_engine
from sysconfig.models import SystemConfig
from tests import pristine

pytest_plugins = ["tests.leaks"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Make the test database, keep what stands in it, and have that put back after each test that commits."""
    with django_db_blocker.unblock():
        pristine.keep()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", pristine.put_back)
        yield


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
