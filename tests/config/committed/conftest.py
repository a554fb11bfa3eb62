"""Tests of this folder commit for real. They change only the table of config, which is then put back.

The flush of `transactional_db` would do as well, for a hundred times as long.
"""

import pytest
from django.db import connection, connections

from sysconfig.models import SystemConfig


@pytest.fixture
def db(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        assert connection.settings_dict["NAME"].startswith("test_")
        before = list(SystemConfig.objects.all())
        yield
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM system_config")
        SystemConfig.objects.bulk_create(before)
        connections.close_all()
