"""What a process must have before it may act: keys in live mode, and a database of its own mode."""

import subprocess
import sys

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from tests.site.processes import own_environ
from tradingsite import startup as start
from tradingsite.models import DatabaseMode

LIVE = {
    "TRADING_MODE": "live",
    "SECRET_KEY": "q8Zr-5vB1_xW7tYp0KdM3nHc6JfL9sGe2AuRoT4iVwXyZbNmQk",
    "UPBIT_ACCESS_KEY": "access",
    "UPBIT_SECRET_KEY": "secret",
    "GEMINI_API_KEY": "gemini",
    "ALLOWED_HOSTS": "trading.example.com",
}


def manage(*arguments, **variables):
    """Run a management command in a process of its own."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, env=own_environ(**variables), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.django_db(transaction=True)
def test_the_first_migrate_stamps_the_mode():
    DatabaseMode.objects.all().delete()
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)

    assert DatabaseMode.objects.get().mode == "sandbox"


def test_the_other_modes_database_is_not_migrated(own_server):
    own_server.execute("CREATE TABLE database_mode (id int, mode text, stamped_at timestamptz)")
    own_server.execute("INSERT INTO database_mode VALUES (1, 'live', now())")

    result = manage("migrate", DATABASE_URL=own_server.url)

    assert result.returncode == 2
    assert "belongs to live mode" in result.stderr
    assert "Traceback" not in result.stderr
    tables = own_server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("database_mode",)]


@pytest.mark.django_db
def test_the_other_modes_database_is_refused_with_both_modes_and_the_way_out(settings):
    settings.TRADING_MODE = "live"

    with pytest.raises(start.CannotStart) as refused:
        start.refuse_other_mode()

    assert "TRADING_MODE is live" in str(refused.value)
    assert "belongs to sandbox mode" in str(refused.value)
    assert "DATABASE_URL" in str(refused.value)


@pytest.mark.django_db(transaction=True)
def test_the_other_modes_database_is_not_prepared_and_gets_no_operator(settings):
    DatabaseMode.objects.update(mode="live")

    with pytest.raises(CommandError, match="belongs to live mode"):
        call_command("prepare")

    assert not User.objects.exists()


@pytest.mark.django_db
def test_ones_own_database_is_accepted():
    start.refuse_unless_ready()


@pytest.mark.django_db
def test_a_database_belongs_to_exactly_one_mode():
    with pytest.raises(IntegrityError, match="one_database_mode"):
        DatabaseMode.objects.create(pk=2, mode="live")


def test_live_mode_without_a_key_is_refused_by_the_scheduler_and_warned_of_elsewhere():
    lacking = {**LIVE, "GEMINI_API_KEY": ""}

    scheduler = manage("runscheduler", **lacking)
    check = manage("check", **lacking)

    assert scheduler.returncode != 0
    assert "GEMINI_API_KEY is not set" in scheduler.stderr
    assert "Traceback" not in scheduler.stderr
    assert check.returncode == 0
    assert "GEMINI_API_KEY is not set" in check.stderr


def test_a_deployment_check_in_live_mode_has_no_warning():
    result = manage("check", "--deploy", "--fail-level", "WARNING", **LIVE)

    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


def test_the_web_process_refuses_live_mode_without_keys():
    environ = own_environ(**{**LIVE, "UPBIT_ACCESS_KEY": ""})
    result = subprocess.run(
        [sys.executable, "-c", "import tradingsite.wsgi"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == start.WORKER_BOOT_ERROR
    assert "UPBIT_ACCESS_KEY is not set" in result.stderr


GUARDED = """
import django, time
django.setup()
from tradingsite.startup import guard_web_process
guard_web_process()
print("serving", flush=True)
time.sleep(30)
"""


def test_a_web_process_without_database_ends_once_that_proves_to_be_the_wrong_one(own_server):
    own_server.execute("CREATE TABLE database_mode (id int, mode text, stamped_at timestamptz)")
    own_server.execute("INSERT INTO database_mode VALUES (1, 'sandbox', now())")
    own_server.stop()
    environ = own_environ(**LIVE, DATABASE_URL=own_server.url)
    with subprocess.Popen(
        [sys.executable, "-c", GUARDED],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "serving\n"
        own_server.start()

        assert process.wait(timeout=20) == start.WORKER_BOOT_ERROR
        assert "belongs to sandbox mode" in process.stderr.read()
