"""What a process needs before it starts: keys in live mode, and a database of its own mode."""

import subprocess
import sys

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from tests.forked import Command
from tests.site.processes import own_environ
from tradingsite import startup as start
from tradingsite.models import DatabaseMode

WITHIN_S = 60
LIVE = {
    "TRADING_MODE": "live",
    "SECRET_KEY": "q8Zr-5vB1_xW7tYp0KdM3nHc6JfL9sGe2AuRoT4iVwXyZbNmQk",
    "UPBIT_ACCESS_KEY": "access",
    "UPBIT_SECRET_KEY": "secret",
    "GEMINI_API_KEY": "gemini",
    "ALLOWED_HOSTS": "trading.example.com",
}


def manage(*arguments, **variables):
    """Run a management command as a process of its own; return its exit code and all output."""
    process = Command("manage.py", *arguments, env=own_environ(**variables))
    output = process.output.read()
    process.output.close()
    return process.wait(WITHIN_S), output


def stamped(database, mode):
    """Make a database look like one of that mode."""
    database.query("CREATE TABLE database_mode (id int, mode text, stamped_at timestamptz)")
    database.query("INSERT INTO database_mode VALUES (1, %s, now())", mode)
    return database


@pytest.mark.django_db(transaction=True)
def test_first_migrate_stamps_the_mode():
    DatabaseMode.objects.all().delete()
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)

    assert DatabaseMode.objects.get().mode == "sandbox"


def test_other_modes_database_is_not_migrated(databases):
    database = stamped(databases.create(), "live")

    code, output = manage("migrate", DATABASE_URL=database.url)

    assert code == 2
    assert "belongs to live mode" in output
    assert "Traceback" not in output
    tables = database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert tables == [("database_mode",)]


@pytest.mark.django_db
def test_other_modes_database_is_refused_with_both_modes_and_the_way_out(settings):
    settings.TRADING_MODE = "live"

    with pytest.raises(start.CannotStart) as refused:
        start.refuse_other_mode()

    assert "TRADING_MODE is live" in str(refused.value)
    assert "belongs to sandbox mode" in str(refused.value)
    assert "DATABASE_URL" in str(refused.value)


@pytest.mark.django_db(transaction=True)
def test_other_modes_database_is_not_prepared_and_gets_no_operator(settings):
    DatabaseMode.objects.update(mode="live")

    with pytest.raises(CommandError, match="belongs to live mode"):
        call_command("prepare")

    assert not User.objects.exists()


@pytest.mark.django_db
def test_database_of_the_same_mode_is_accepted():
    start.refuse_unless_ready()


@pytest.mark.django_db
def test_database_belongs_to_exactly_one_mode():
    with pytest.raises(IntegrityError, match="one_database_mode"):
        DatabaseMode.objects.create(pk=2, mode="live")


def test_scheduler_refuses_live_mode_without_a_key():
    code, output = manage("runscheduler", **{**LIVE, "GEMINI_API_KEY": ""})

    assert code == 2
    assert "GEMINI_API_KEY is not set" in output
    assert "Traceback" not in output


def test_every_command_warns_of_a_missing_key_in_live_mode():
    code, output = manage("check", **{**LIVE, "GEMINI_API_KEY": ""})

    assert code == 0
    assert "GEMINI_API_KEY is not set" in output


def test_deployment_check_in_live_mode_has_no_warning():
    code, output = manage("check", "--deploy", "--fail-level", "WARNING", **LIVE)

    assert code == 0, output
    assert "no issues" in output


def test_web_process_refuses_live_mode_without_keys():
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
time.sleep(600)
"""


def test_web_process_ends_when_its_database_comes_up_and_is_of_the_other_mode(databases):
    database = stamped(databases.create(), "sandbox")
    server = databases.at("postgres")
    server.query(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    environ = own_environ(**LIVE, DATABASE_URL=database.url)
    with subprocess.Popen(
        [sys.executable, "-c", GUARDED],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "serving\n"
        server.query(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")

        assert process.wait(timeout=WITHIN_S) == start.WORKER_BOOT_ERROR
        assert "belongs to sandbox mode" in process.stderr.read()
