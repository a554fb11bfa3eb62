"""The page of processes: who works with which version of the configuration."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.urls import reverse

from sysconfig.models import ConfigProcess, SystemConfig
from sysconfig.push import processes
from sysconfig.push.processes import Process
from tests.sysconfig.admin_pages.admin_desk import PROCESSES, plain, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return signed_in("operator")


@pytest.fixture
def listening():
    """Record a process whose session is this test's own."""
    connection.ensure_connection()
    process = Process(uuid4(), "trader-1", 4242, "manage.py runscheduler", datetime(2026, 1, 2, tzinfo=UTC))
    processes.record(connection.connection, process, processes.fingerprint(connection.connection))
    return ConfigProcess.objects.get(pk=process.id)


def shown(browser):
    return plain(browser.get(reverse(PROCESSES)).text)


def test_without_a_process_the_page_says_so(browser):
    assert "No process listens for changes." in shown(browser)


def test_a_process_with_the_version_of_the_table_is_up_to_date(browser, listening):
    text = shown(browser)

    assert f"The table is at version {listening.fingerprint} now." in text
    since = (
        f"{listening.fingerprint} {listening.since:%Y-%m-%d %H:%M:%S} UTC just now 2026-01-02 00:00:00 UTC"
    )
    assert f"manage.py runscheduler trader-1 4242 up to date {since}" in text


def test_a_process_that_missed_a_change_is_behind_since_that_change(browser, listening):
    SystemConfig.objects.set_value("stop_loss_pct", "4")
    first = SystemConfig.objects.get(key="stop_loss_pct").updated_at
    SystemConfig.objects.set_value("stop_loss_pct", "3")

    assert f"behind since {first:%Y-%m-%d %H:%M}" in shown(browser)
    SystemConfig.objects.set_value("stop_loss_pct", "5.0")
    assert "up to date" in shown(browser), "what stands there is what it took"


def test_a_version_that_no_recorded_change_explains_is_behind_since_it_was_taken(browser, listening):
    ConfigProcess.objects.update(fingerprint="0-none")

    assert f"behind since {listening.since:%Y-%m-%d %H:%M:%S}" in shown(browser)


def test_a_process_whose_session_is_gone_has_ended(browser, listening):
    ConfigProcess.objects.update(backend_pid=1)

    assert "manage.py runscheduler trader-1 4242 ended" in shown(browser)


def test_the_processes_need_the_permission_to_see_settings():
    assert signed_in("viewer", "view_systemconfig").get(reverse(PROCESSES)).status_code == 200
    assert signed_in("other", "view_halt").get(reverse(PROCESSES)).status_code == 403
