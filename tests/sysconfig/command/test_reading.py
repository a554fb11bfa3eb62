"""`manage.py sysconfig list|get`, and its command line (docs/configuration.md)."""

import json

import pytest
from django.core.management import call_command, execute_from_command_line
from django.utils.translation import override
from rich.cells import cell_len

from sysconfig.models import SystemConfig
from tests.sysconfig.command.desk import on_a_terminal, past_the_checks
from tradingsite.models import DatabaseMode


def test_list_is_an_aligned_table_that_marks_what_differs(run):
    SystemConfig.objects.set_value("t_count", 7)
    past_the_checks("t_least", "much")
    SystemConfig.objects.set_value("설정", "한글\n\x1b[31m")
    lines = run("list").splitlines()

    def line(key):
        return next(line for line in lines if f" {key} " in line)

    assert line("t_count").startswith("* ")
    assert line("t_least").startswith("! ")
    assert line("t_name").startswith("  ")
    assert line("t_count").index("things") == line("t_limit").index("%")
    assert "한글\\n\\x1b[31m" in line("설정")
    assert "not registered" in line("설정")
    assert lines[-2:] == [
        line("설정"),
        "! t_least: must be a plain decimal number with at most 8 decimal places, such as 2.5",
    ]


def test_list_filters_by_group_and_by_changed(run):
    assert len(run("list", "--group", "test").splitlines()) == 1 + 7
    assert run("list", "--group", "Test", "--changed") == "Every value is its default.\n"

    SystemConfig.objects.set_value("t_count", 7)
    assert [entry["key"] for entry in json.loads(run("list", "--changed", "--json"))] == ["t_count"]
    with override("ko"):
        assert "stop_loss_pct" in run("list", "--group", "Risk")


def test_list_names_the_groups_when_there_is_no_such(refused):
    assert refused("list", "--group", "Rsk", status=2) == (
        "there is no group Rsk; there are: Trading, Risk, Model, Retention, Test"
    )


def test_list_as_json_has_texts_for_values_and_english_for_words(run):
    SystemConfig.objects.set_value("t_free", "text")
    with override("ko"):
        output = {entry["key"]: entry for entry in json.loads(run("list", "--json"))}

    assert {key: value for key, value in output["t_count"].items() if key != "updated_at"} == {
        "key": "t_count",
        "value": "5",
        "registered": True,
        "valid": True,
        "type": "int",
        "unit": "things",
        "group": "Test",
        "limits": ["0", "10"],
        "default": "5",
        "riskier": "",
    }
    assert output["stop_loss_pct"]["group"] == "Risk"
    assert output["t_free"]["registered"] is False
    assert list(output)[-1] == "t_free"


def test_get_prints_the_bare_value(run):
    assert run("get", "t_least") == "1.0\n"
    assert json.loads(run("get", "t_least", "--json"))["value"] == "1.0"


def test_get_fails_for_a_missing_or_unusable_value(run, refused):
    assert refused("get", "t_cont") == "t_cont has no row. Did you mean t_count?"
    assert refused("get", "qqq") == "qqq has no row."

    past_the_checks("t_count", "eleven")
    assert refused("get", "t_count") == "t_count is eleven and can't be used: must be a whole number"
    assert json.loads(run("get", "t_count", "--json"))["valid"] is False


def test_a_value_that_breaks_a_rule_between_keys_is_marked(run, refused):
    past_the_checks("t_least", "50")

    assert run("list").splitlines()[-1] == "! t_least: t_least 50 exceeds t_most 3.0"
    assert refused("get", "t_least") == "t_least is 50 and can't be used: t_least 50 exceeds t_most 3.0"
    assert json.loads(run("get", "t_least", "--json"))["valid"] is False
    assert json.loads(run("get", "t_most", "--json"))["valid"] is True


def test_a_default_in_another_spelling_is_no_change(run):
    SystemConfig.objects.set_value("t_least", "1")

    assert run("list", "--group", "Test", "--changed") == "Every value is its default.\n"


def test_columns_are_aligned_under_korean_letters_too(run):
    SystemConfig.objects.set_value("설정", "한글")
    lines = run("list").splitlines()
    starts = {
        cell_len(line[: line.index(unit)])
        for line in lines
        for key, unit in (("t_count", "things"), ("설정", "not registered"))
        if f" {key} " in line
    }

    assert len(starts) == 1


def test_a_pipe_gets_long_values_whole_and_each_row_on_one_line(run):
    SystemConfig.objects.set_values({"t_latin": "x" * 500, "t_markup": "[bold]:smile:[/]"})
    lines = run("list").splitlines()

    assert next(line for line in lines if "t_latin" in line).count("x") == 500
    assert any("[bold]:smile:[/]" in line for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_on_a_terminal_a_long_value_takes_no_more_columns_in_korean_than_in_english():
    SystemConfig.objects.set_values({"t_latin": "x" * 500, "t_korean": "가" * 500})
    shown = on_a_terminal("list", "--changed").splitlines()
    latin, korean = (next(line for line in shown if key in line) for key in ("t_latin", "t_korean"))

    assert korean.count("가") == 29
    assert latin.count("x") == 59
    assert not any("\x1b" in line for line in shown)


def test_the_other_modes_database_is_refused(refused):
    DatabaseMode.objects.update_or_create(defaults={"mode": "live"})

    assert "this database belongs to live mode" in refused("list")


def test_help_has_examples_and_tells_the_exit_statuses(capsys):
    with pytest.raises(SystemExit):
        call_command("sysconfig", "--help")
    output = capsys.readouterr().out

    assert "  manage.py sysconfig set stop_loss_pct 4.5 --if-is 5   only if it is still 5" in output
    assert "Exit status: 0; 1 when it was refused" in output


@pytest.mark.parametrize(
    "arguments", [[], ["set", "t_count"], ["history", "--limit", "0"], ["revert", "last"], ["get"]]
)
def test_wrong_arguments_give_exit_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", "sysconfig", *arguments])

    assert ended.value.code == 2
    assert "usage: manage.py sysconfig" in capsys.readouterr().err
