"""`manage.py sysconfig set|reset`: what it refuses, asks and changes (docs/configuration.md)."""

import getpass
import os
import socket

import pytest

from sysconfig.models import SystemConfig
from tests.sysconfig.command.desk import answering, newest, past_the_checks, rows


def test_set_changes_a_value_shows_it_and_signs_it(run):
    assert run("set", "t_count", "07") == "t_count:  5 → 7\n1 setting changed.\n"

    assert SystemConfig.objects.get_value("t_count") == 7
    change = newest()
    user = getpass.getuser()
    assert (change.source, change.actor) == ("command", user)
    assert change.origin == f"{user}@{socket.gethostname()}"


def test_behind_sudo_the_person_is_named(run, monkeypatch):
    monkeypatch.setenv("SUDO_USER", "alice")
    run("set", "t_count", "7")

    change = newest()
    assert (change.actor, change.origin) == ("alice", f"{getpass.getuser()}@{socket.gethostname()}")


def test_an_account_without_a_name_is_named_by_its_number(run, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    run("set", "t_count", "7")

    assert newest().actor == str(os.getuid())


def test_setting_the_stored_value_changes_nothing(run):
    SystemConfig.objects.set_value("t_count", 7)
    before = newest().pk

    assert run("set", "t_count", "7") == "Nothing to change.\n"
    assert newest().pk == before


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("t_count", "11", "t_count: '11' is refused: must be between 0 and 10"),
        ("t_count", "-1", "t_count: '-1' is refused: must be between 0 and 10"),
        ("t_least", "3.5", "t_least: '3.5' is refused: t_least 3.5 exceeds t_most 3.0"),
    ],
)
def test_a_wrong_value_is_refused_with_the_rule(refused, key, value, why):
    assert refused("set", key, value) == f"Nothing was changed.\n{why}"


def test_set_if_is_compares_first(run, refused):
    assert refused("set", "t_least", "2", "--if-is", "1.5") == (
        "t_least was changed meanwhile: it is '1.0', no longer '1.5'"
    )
    assert refused("set", "t_least", "2", "--if-is", "a lot")
    run("set", "t_least", "2", "--if-is", "01")
    assert rows()["t_least"] == "2"

    past_the_checks("t_count", "eleven")
    assert refused("set", "t_count", "2", "--if-is", "5")
    run("set", "t_count", "2", "--if-is", "eleven")
    assert rows()["t_count"] == "2"
    assert "without a row" in refused("set", "t_free", "2", "--if-is", "1", "--yes")


def test_a_riskier_value_is_marked_and_needs_confirmation(run, refused, monkeypatch, capsys):
    with answering(monkeypatch, "n"):
        assert refused("set", "t_limit", "6") == "Nothing was changed."
    shown = capsys.readouterr().out
    assert shown == "t_limit:  5 → 6  RAISES RISK\nThis raises the risk. Do it? [y/N] "

    with answering(monkeypatch, "y"):
        assert run("set", "t_limit", "6").endswith("1 setting changed.\n")
    assert rows()["t_limit"] == "6"


def test_without_a_terminal_a_riskier_value_needs_yes(run, refused):
    assert refused("set", "t_limit", "6") == (
        "This raises the risk. There is no terminal to confirm it: nothing was changed. Repeat it with --yes."
    )
    run("set", "t_limit", "6", "--yes")
    run("set", "t_limit", "4")  # lowers it
    assert rows()["t_limit"] == "4"


def test_over_an_unreadable_value_every_value_counts_as_riskier(refused):
    past_the_checks("t_limit", "much")

    assert "raises the risk" in refused("set", "t_limit", "0")


def test_an_unregistered_key_needs_confirmation(run, refused):
    assert refused("set", "t_cont", "7") == (
        "t_cont is not a registered setting. Did you mean t_count? "
        "There is no terminal to confirm it: nothing was changed. Repeat it with --yes."
    )
    assert "NEW KEY, NOT REGISTERED" in run("set", "qqq", "7", "--yes")
    run("set", "qqq", "8")
    assert rows()["qqq"] == "8"


def test_reset_gives_defaults_to_all_or_to_none(run, refused):
    SystemConfig.objects.set_values({"t_count": 7, "t_least": 4, "t_most": 8})
    assert refused("reset", "t_most") == (
        "Nothing was changed.\nt_most: '3.0' is refused: t_least 4 exceeds t_most 3.0"
    )
    assert refused("reset", "t_count", "t_cont", "qqq") == (
        "t_cont is not registered: it has no default. Did you mean t_count?\n"
        "qqq is not registered: it has no default."
    )

    assert run("reset", "t_count", "t_least", "t_most").endswith("3 settings changed.\n")
    assert (rows()["t_count"], rows()["t_least"], rows()["t_most"]) == ("5", "1.0", "3.0")


def test_a_reset_can_raise_the_risk_too(refused):
    SystemConfig.objects.set_value("t_limit", 3)

    assert "raises the risk" in refused("reset", "t_limit")
