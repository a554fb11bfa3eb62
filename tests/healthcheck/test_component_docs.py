"""Every component that is configured is listed in docs/health.md and has a test."""

import re
from pathlib import Path

from healthcheck.declared import configured_probes
from healthcheck.report import component_names

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "health.md"


def test_docs_list_every_component_in_the_configured_order():
    table = PAGE.read_text().split("| component | healthy means |")[1].split("\n\n")[0]

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == component_names()


def test_every_probe_is_called_by_a_test():
    called = set(re.findall(r"(\w+)\(", "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))))

    assert {task.probe.rpartition(".")[2] for task in configured_probes()} - called == set()
