"""One listener a process: when it starts, when it ends, and what a fork leaves (rules 11, 22 and 23)."""

import asyncio
import signal
import subprocess
import sys
import threading

import pytest
from django.db import transaction

from sysconfig.models import SystemConfig
from sysconfig.push import listener
from sysconfig.push.listener import ListenerStatus
from sysconfig.push.processes import ConfigProcess
from tests.sysconfig import suite_database
from tests.sysconfig.committed.hearing import sql, until, update

pytestmark = pytest.mark.usefixtures("some_rows")

get_value = SystemConfig.objects.get_value


@pytest.fixture(autouse=True)
def listening_allowed(settings):
    settings.SYSCONFIG_LISTEN = True
    yield
    listener.stop_listening()


def listens():
    return listener.status().started


def test_the_first_miss_starts_the_listener_and_the_next_does_not():
    assert listener.status() == ListenerStatus()
    get_value("t_count")
    first = listener._this.listener
    get_value("t_name")

    assert listens()
    assert listener._this.listener is first
    until(lambda: listener.status().lease_age_s is not None)


def test_a_miss_inside_a_transaction_starts_no_listener():
    with transaction.atomic():
        get_value("t_count")

    assert not listens()


def test_the_setting_turns_the_listener_off(settings):
    settings.SYSCONFIG_LISTEN = False
    get_value("t_count")

    assert not listens()


def test_a_miss_in_an_event_loop_starts_the_listener_too():
    assert asyncio.run(SystemConfig.objects.aget_value("t_count")) == 5

    assert listens()


def test_stopping_leaves_no_thread_and_the_next_miss_starts_another():
    get_value("t_count")
    first = listener._this.listener
    listener.stop_listening()
    assert not first.is_alive()
    assert not listens()

    get_value("t_count", fresh=True)
    assert listener._this.listener is not first


def test_no_listener_starts_once_the_process_ends(monkeypatch):
    monkeypatch.setattr(listener._this, "over", True)
    get_value("t_count")

    assert not listens()


def test_a_thread_that_died_is_replaced_by_the_next_miss(listener_made, monkeypatch):
    dead = listener_made()
    dead._ending.set()
    dead.start()
    until(lambda: not dead.is_alive())
    monkeypatch.setattr(listener._this, "listener", dead)
    get_value("t_count")

    assert listener._this.listener is not dead


def test_a_value_is_read_where_no_thread_can_be_started(monkeypatch, caplog):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert get_value("t_count") == 5
    assert "can't start new thread" in caplog.text
    assert not listens()


HEAD = """
import os, sys, time
import tradingsite
import django
django.setup()
from django.db import connection
from sysconfig.push import listener
from sysconfig.models import SystemConfig
from sysconfig.push.processes import ConfigProcess

# Nothing is due but what the test does.
listener.ConfigListener.__init__.__kwdefaults__["period_s"] = 600.0

def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)

get_value = SystemConfig.objects.get_value
assert not listener.status().started  # neither the import nor the set-up starts anything
assert get_value("t_free") == "old"
"""
FORK = """
until(lambda: listener.status().lease_age_s is not None)
child = os.fork()
if child == 0:
    assert not listener.status().started and not SystemConfig.cache.entries
    assert get_value("t_free") == "old"
    until(lambda: listener.status().lease_age_s is not None)
print("ready", flush=True)
until(lambda: get_value("t_free") == "new")
until(lambda: SystemConfig.cache.invalidations["notify"] == 1)
assert listener.status().reconnects == 0
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE system_config SET value = 'newer' WHERE key = 't_free'")
    until(lambda: get_value("t_free") == "newer")
    assert listener.status().reconnects == 0
"""


def start(script):
    # 3.12 and later warn about any fork of a process with threads
    command = [sys.executable, "-W", "ignore", "-c", script]
    env = suite_database.environment("tests.sysconfig.processes.reader_settings")
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_parent_and_forked_child_are_both_notified_of_a_change():
    SystemConfig.objects.set_value("t_free", "old")
    with start(HEAD + FORK) as family:
        assert [family.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        update("t_free", "new")
        _, errors = family.communicate(timeout=60)

    assert family.returncode == 0, errors


@pytest.mark.parametrize("wait", ["", "until(lambda: listener.status().fingerprint)"])
def test_a_program_that_reads_one_value_ends_at_once_and_deletes_its_row(wait):
    SystemConfig.objects.set_value("t_free", "old")
    sql("DELETE FROM system_config_process")
    patient = (
        "\nlistener.ConfigListener.stop.__defaults__ = (600.0,)\n"  # instead of 0.9 s, if it does not end
    )
    with start(HEAD + patient + wait) as command:
        _, errors = command.communicate(timeout=60)

    assert command.returncode == 0, errors
    assert not errors
    assert sql("SELECT count(*) FROM system_config_process") == [(0,)]


SIGNALLED = """
import signal
until(lambda: listener.status().fingerprint)
listener.ConfigListener.stop.__defaults__ = (0.1,)
signal.signal(signal.SIGTERM, lambda *_: listener.stop_listening())
with SystemConfig.cache._lock:  # what the listener takes to end the lease
    os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_handler_may_stop_the_listener_whatever_it_interrupts():
    SystemConfig.objects.set_value("t_free", "old")
    with start(HEAD + SIGNALLED) as program:
        _, errors = program.communicate(timeout=60)  # without a limit of its own it would be for ever

    assert program.returncode == 0, errors


def test_a_killed_process_leaves_no_session():
    SystemConfig.objects.set_value("t_free", "old")
    waits = "until(lambda: listener.status().fingerprint)\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
    with start(HEAD + waits) as program:
        pid = int(program.stdout.readline())
        assert ConfigProcess.objects.living().filter(pid=pid).exists()
        program.terminate()
        program.wait(60)

        until(lambda: not ConfigProcess.objects.living().filter(pid=pid).exists())
    assert program.returncode == -signal.SIGTERM
