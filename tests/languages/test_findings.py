"""The sentence of a finding is marked for translation where it is written."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.languages.catalogue import ROOT

CONSTRUCTORS = {"pause", "ready_warning", "timeout", "unjudged"}


def unmarked(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(ast.Name("Finding"), [_, ast.Constant(str(text)), *_]) if text:
                yield text
            case ast.Call(ast.Attribute(ast.Name("Finding"), name), [ast.Constant(str(text)), *_]) if (
                name in CONSTRUCTORS
            ):
                yield text


def test_every_finding_marks_its_sentence_for_translation():
    files = [path for package in ("healthcheck", "tradingsite") for path in (ROOT / package).rglob("*.py")]

    assert {path.name: texts for path in files if (texts := [*unmarked(path)])} == {}


def test_an_unmarked_sentence_is_found(tmp_path):
    file = tmp_path / "probes.py"
    file.write_text(
        'Finding("healthy", "fine")\nFinding.pause("rests")\nFinding("warning", gettext_noop("slow"))\n'
    )

    assert [*unmarked(file)] == ["fine", "rests"]
