"""`manage.py sysconfig export|import` (docs/configuration.md, "The file of an export")."""

import json
import os

import pytest

from sysconfig.models import SystemConfig
from tests.sysconfig.command.desk import answering, piped, rows


@pytest.fixture
def export(run, tmp_path):
    """Return the path of a file with everything, which a test may edit by `edit(document)`."""

    def write(edit=None):
        path = tmp_path / "config.json"
        run("export", "--file", str(path))
        assert list(tmp_path.iterdir()) == [path]
        document = json.loads(path.read_text())
        if edit:
            edit(document)
            path.write_text(json.dumps(document))
        return str(path)

    return write


def test_an_export_holds_every_row_and_says_what_it_is(run, settings):
    SystemConfig.objects.set_value("t_free", "자유")
    exported = json.loads(run("export"))

    assert (exported["format_version"], exported["mode"]) == (1, settings.TRADING_MODE)
    assert exported["values"] | exported["unregistered"] == rows()
    assert exported["unregistered"] == {"t_free": "자유"}


def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(refused, tmp_path):
    folder = tmp_path / "taken"
    folder.mkdir()

    assert "taken" in refused("export", "--file", str(folder))
    assert list(tmp_path.iterdir()) == [folder]
    assert "No such file" in refused("export", "--file", str(tmp_path / "none" / "config.json"))


def test_an_export_through_a_link_leaves_the_link(run, tmp_path):
    (tmp_path / "newest.json").symlink_to(tmp_path / "config.json")
    run("export", "--file", str(tmp_path / "newest.json"))

    assert (tmp_path / "newest.json").is_symlink()
    assert json.loads((tmp_path / "config.json").read_text())["values"]


def test_an_export_to_a_pipe_is_written_to_it_and_does_not_take_its_place(run, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # neither end waits for the other
    run("export", "--file", str(pipe))

    assert pipe.is_fifo()
    assert json.loads(os.read(reader, 65536))["values"]
    os.close(reader)


def test_importing_what_was_exported_brings_everything_back(run, export):
    SystemConfig.objects.set_values({"t_free": "text", "t_least": 2, "t_most": 8})
    path, before = export(), rows()
    SystemConfig.objects.set_values({"t_least": 30, "t_most": 40, "t_count": 1, "t_later": "stays"})
    SystemConfig.objects.filter(key="t_free").delete()

    assert run("import", path, "--yes").splitlines() == [
        "t_count:  1 → 5",
        "t_least:  30 → 2",
        "t_most:   40 → 8",
        "t_free:   - → text  NEW KEY, NOT REGISTERED",
        "4 settings changed.",
    ]
    assert rows() == before | {"t_later": "stays"}
    assert run("import", path) == "Nothing to change.\n"


def test_import_asks_and_a_dry_run_does_not(run, refused, export, monkeypatch):
    path = export()
    SystemConfig.objects.set_value("t_count", 1)

    assert run("import", path, "--dry-run") == "t_count:  1 → 5\nNothing was changed: a dry run.\n"
    assert rows()["t_count"] == "1"
    assert refused("import", path).startswith("This applies the file. There is no terminal")
    with answering(monkeypatch, "n"):
        assert refused("import", path) == "Nothing was changed."
    with answering(monkeypatch, "y"):
        run("import", path)
    assert rows()["t_count"] == "5"


def test_import_reads_standard_input_and_values_may_be_typed(run, monkeypatch):
    typed = {"t_count": 7, "t_enabled": True, "t_least": 2.5, "t_words": ["b", "a"]}
    piped(monkeypatch, json.dumps({"format_version": 1, "mode": "sandbox", "values": typed}))
    run("import", "-", "--yes")

    assert {key: rows()[key] for key in typed} == {
        "t_count": "7",
        "t_enabled": "true",
        "t_least": "2.5",
        "t_words": "b,a",
    }


def test_an_import_reports_every_error_at_once_and_changes_nothing(refused, export):
    def spoil(document):
        document["values"] |= {"t_count": "11", "t_least": "9", "t_most": "8", "t_cont": "5", "t_name": None}
        document["values"] |= {"t_enabled": "true"}

    assert refused("import", export(spoil), "--yes").splitlines() == [
        "Nothing was changed.",
        "t_cont: '5' is refused: no such key is registered here; plain texts belong under \"unregistered\"",
        "t_count: '11' is refused: must be between 0 and 10",
        "t_name: None is refused: must be one line of text",
        "t_least: '9' is refused: t_least 9 exceeds t_most 8",
    ]


def test_a_dry_run_refuses_what_the_import_would_refuse(refused, export):
    assert "must be between 0 and 10" in refused(
        "import", export(lambda document: document["values"].update(t_count="11")), "--dry-run"
    )


def test_an_export_of_the_other_mode_is_warned_of_before_the_confirmation(run, refused, export, capsys):
    path = export(lambda document: document.update(mode="live", values={"t_count": "1"}))

    refused("import", path)
    assert capsys.readouterr().err == ("This is an export of live mode; this site trades in sandbox mode.\n")
    run("import", path, "--yes")
    assert rows()["t_count"] == "1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not JSON: "),
        ("[" * 100_000, "it is not JSON: "),
        ('{"format_version": NaN}', "it is not JSON: NaN"),
        ("[]", "the file must be a JSON object"),
        ("{}", "its format_version is None; this release reads 1"),
        ('{"format_version": 2}', "its format_version is 2; this release reads 1"),
        ('{"format_version": 1, "values": ["t_count"]}', "values must be a JSON object"),
        ('{"format_version": 1, "values": {"t_count": "1", "t_count": "2"}}', "t_count occurs twice"),
        (
            '{"format_version": 1, "values": {"t_count": "1"}, "unregistered": {"t_count": "2"}}',
            "t_count occurs twice",
        ),
    ],
)
def test_a_file_that_is_not_an_export_is_refused(refused, monkeypatch, text, why):
    piped(monkeypatch, text)

    assert refused("import", "-", "--yes").startswith(why)


def test_a_file_that_can_not_be_read_is_refused(refused, tmp_path):
    assert "No such file" in refused("import", str(tmp_path / "none.json"))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\xff")
    assert "decode" in refused("import", str(tmp_path / "bytes.json"))
