"""The comparison in docs/health.md: each yes names a test that is there, each no its reason."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "health.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| (yes|no) \| (.+) \| (\d+) \|$", re.MULTILINE)
TEST = re.compile(r"\[`(test_\w+)`\]\((\.\./tests/[\w/]+\.py)\)")


def test_each_yes_names_a_test_that_is_there_and_each_no_its_reason():
    rows = ROW.findall(PAGE.read_text())

    assert [int(number) for number, *_ in rows] == list(range(1, 66))
    for number, _, answer, said, _ in rows:
        named = TEST.fullmatch(said)
        if answer == "yes":
            assert named, number
            name, path = named.groups()
            assert f"def {name}(" in (PAGE.parent / path).read_text(), name
        else:
            assert not named, number
            assert len(said) > 10, number
