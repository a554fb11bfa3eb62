"""`make check` refuses a migration that the release before could not live with."""

import pytest

from tests.upgrade import lint
from tests.upgrade.processes import PLANTED, WITHIN_S


@pytest.fixture(scope="module")
def refused(migrated):
    """What is said about the migrations of the app `planted`, by the number of each."""
    process = migrated.start("-m", "tests.upgrade.lint", settings=PLANTED)
    output, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    assert "Traceback" not in output, output
    lines = [line for line in output.splitlines() if line.startswith("planted.")]
    return {line[8:12]: [each for each in lines if each[8:12] == line[8:12]] for line in lines}


@pytest.mark.django_db
def test_ours_are_all_right():
    assert lint.problems() == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("0006", "NOT_NULL"),
        ("0006", "NO_DB_DEFAULT"),
        ("0007", "NO_DB_DEFAULT"),
        ("0008", "SETS_NOT_NULL"),
        ("0009", "CREATE_INDEX"),
        ("0010", "CHECK_VALIDATES"),
        ("0011", "NOT_ATOMIC"),
        ("0012", "DROP_COLUMN"),
    ],
)
def test_what_old_code_or_a_busy_table_would_suffer_from_is_refused(refused, number, code):
    assert any(f": {code}: " in line for line in refused[number])


@pytest.mark.parametrize("number", ["0001", "0002", "0003", "0004", "0005"])
def test_what_does_no_harm_is_let_through(refused, number):
    assert number not in refused
