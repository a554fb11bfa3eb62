"""What every test begins with: nothing remembered by the process from the test before."""

import math

import pytest
from django.utils import translation

from healthcheck.engine import forget_engine
from sysconfig.models import SystemConfig

pytest_plugins = ["tests.leaks"]


@pytest.fixture(autouse=True)
def fresh_process():
    # The flush after a transactional test fires no signals and no triggers.
    SystemConfig.cache.start_over()
    SystemConfig.cache.extend_lease(math.inf)  # nothing listens (SYSCONFIG_LISTEN), nobody else writes
    forget_engine()
    translation.deactivate()  # a request leaves its language active
