"""Tests of this folder commit for real, and only to the tables of sysconfig: these are put back after each.

The flush of `transactional_db` would take a hundred times as long.
"""

import pytest
from django.db import connection, connections

from sysconfig.cache import TTLCache
from sysconfig.models import SystemConfig
from sysconfig.push import listener, session
from sysconfig.push.processes import ConfigProcess
from tests.sysconfig.committed.hearing import (
    DELAYS_S,
    LONG_S,
    Clock,
    RecordingListener,
    SilentListener,
    until,
)


@pytest.fixture
def db(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        assert connection.settings_dict["NAME"].startswith("test_")
        before = list(SystemConfig.objects.all())
        ConfigProcess.objects.all().delete()  # a listener that stops without a session leaves its row
        yield
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM system_config")
        SystemConfig.objects.bulk_create(before)
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE system_config_change")
        connections.close_all()


@pytest.fixture
def clock(monkeypatch):
    """The clock of `cache` and of all listeners."""
    clock = Clock()
    for module in (listener, session):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.fixture
def cache(clock):
    return TTLCache(clock, leased=True)


@pytest.fixture
def listener_made(cache):
    """Make a listener that is stopped after the test: `listener_made(cache=…, kind=…, period_s=…)`."""
    made = []

    def make(
        *, cache=cache, kind=RecordingListener, period_s=LONG_S, anti_entropy_s=LONG_S, delays_s=DELAYS_S
    ):
        made.append(kind(cache, period_s=period_s, anti_entropy_s=anti_entropy_s, delays_s=delays_s))
        return made[-1]

    yield make
    for each in made:
        if each.is_alive():
            each.stop(60)
        assert not each.is_alive()


@pytest.fixture
def listen(listener_made):
    """Start a listener and wait until its first heartbeat came back."""

    def start(**options):
        heard = listener_made(**options)
        heard.start()
        until(lambda: heard.status().lease_age_s is not None)
        return heard

    return start


@pytest.fixture
def silent(listener_made):
    """Start a listener whose first heartbeat is lost, as behind a pooler that moves sessions."""

    def start(**options):
        heard = listener_made(kind=SilentListener, **options)
        heard.start()
        return heard

    return start
