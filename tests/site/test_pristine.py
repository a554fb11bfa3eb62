"""After a test that commits, the rows are as `migrate` left them."""

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from sysconfig.models import SystemConfig
from tests import pristine


@pytest.mark.django_db(transaction=True)
def test_committed_rows_are_undone():
    pristine.put_back()  # the tests of sysconfig/committed put rows back with new times
    before = list(SystemConfig.objects.order_by("pk").values())
    types = list(ContentType.objects.order_by("pk").values())
    User.objects.create_superuser("operator", password="a long password")
    SystemConfig.objects.set_value("stop_loss_pct", "7.5")
    ContentType.objects.all().delete()
    pristine.put_back()

    assert not User.objects.exists()
    assert list(SystemConfig.objects.order_by("pk").values()) == before
    assert list(ContentType.objects.order_by("pk").values()) == types


@pytest.mark.django_db(transaction=True)
def test_putting_back_leaves_triggers_enabled():
    with connection.cursor() as cursor:
        pristine.put_back()
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone() == ("origin",)
