"""`manage.py sysconfig history|revert` (docs/configuration.md, "History")."""

import getpass
import json
import re

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey
from sysconfig.value_types import INTEGER
from tests.sysconfig.command.desk import answering, newest, past_the_checks, rows


def test_history_shows_author_time_and_origin(run):
    run("set", "t_count", "7")
    past_the_checks("t_count", "8")
    titles, last, first = run("history", "t_count", "--limit", "2").splitlines()

    assert re.split("  +", titles) == [
        "number",
        "at (UTC)",
        "key",
        "old → new",
        "source",
        "who",
        "from where",
    ]
    assert "7 → 8" in last
    assert "SQL, unchecked" in last
    assert first.split()[3:8] == ["t_count", "5", "→", "7", "command"]
    assert getpass.getuser() in first
    assert first.split()[0] == str(newest().pk - 1)


def test_history_as_json_has_every_field(run):
    run("set", "t_count", "7")
    [entry] = json.loads(run("history", "--limit", "1", "--json"))
    change = newest()

    assert entry == {
        "number": change.pk,
        "at": change.at.isoformat(),
        "key": "t_count",
        "old_key": None,
        "action": "update",
        "old_value": "5",
        "new_value": "7",
        "source": "command",
        "actor": change.actor,
        "origin": change.origin,
    }


def test_history_of_a_key_that_is_gone_or_renamed_is_still_there(run):
    SystemConfig.objects.set_value("t_first", "text")
    SystemConfig.objects.filter(key="t_first").update(key="t_second")
    SystemConfig.objects.filter(key="t_second").delete()

    assert len(run("history", "t_first").splitlines()) == 3
    assert "t_first → t_second" in run("history", "t_second")


def test_history_says_when_there_is_none_and_when_there_is_no_such_key(run, refused):
    registry.register([ConfigKey("t_quiet", INTEGER, 1)])

    assert run("history", "t_quiet") == "No change is recorded.\n"
    assert refused("history", "t_cont") == "t_cont has no row. Did you mean t_count?"


def test_revert_takes_a_change_back_after_asking(run, refused, monkeypatch):
    run("set", "t_count", "7")
    number = str(newest().pk)
    run("set", "t_count", "8")

    assert refused("revert", number).startswith(f"This reverts change {number}. There is no terminal")
    with answering(monkeypatch, "yes"):
        assert run("revert", number).startswith("t_count:  8 → 5\n")
    assert rows()["t_count"] == "5"
    assert newest().source == "command"
    assert run("revert", number, "--yes") == "Nothing to change.\n"


def test_revert_gives_the_reason_for_its_refusal(run, refused):
    assert refused("revert", "999999999", "--yes") == (
        "change 999999999 can't be undone: there is no such change"
    )

    SystemConfig.objects.set_value("t_free", "one")
    assert "had no row before it" in refused("revert", str(newest().pk), "--yes")
    SystemConfig.objects.set_value("t_free", "two")
    number = str(newest().pk)
    SystemConfig.objects.filter(key="t_free").delete()
    assert "t_free has no row any more" in refused("revert", number, "--yes")
