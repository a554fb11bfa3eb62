"""`manage.py sysconfig`, run without a terminal unless a test opens one."""

import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey
from sysconfig.value_types import INTEGER
from tests.sysconfig.command.desk import piped, rows

LIMIT = ConfigKey("t_limit", INTEGER, 5, limits=(0, 100), unit="%", group="Test", riskier="higher")


@pytest.fixture(autouse=True)
def at_a_desk(some_rows, monkeypatch):
    registry.register([LIMIT])
    SystemConfig.objects.set_value("t_limit", 5)
    piped(monkeypatch)
    monkeypatch.delenv("SUDO_USER", raising=False)
    with override("en"):
        yield


@pytest.fixture
def run(capsys):
    """Run an action and return what it printed."""

    def command(*arguments):
        call_command("sysconfig", *arguments)
        return capsys.readouterr().out

    return command


@pytest.fixture
def refused(run):
    """Run an action that must be refused without changing anything; return why."""

    def command(*arguments, status=1):
        before = rows()
        with pytest.raises(CommandError) as refusal:
            run(*arguments)
        assert refusal.value.returncode == status
        assert rows() == before
        return str(refusal.value)

    return command
