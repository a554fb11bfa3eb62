"""`make check` refuses a migration that breaks the previous release."""

import pytest

from tests.upgrade import lint
from tests.upgrade.processes import PLANTED, WITHIN_S, start_on


@pytest.fixture(scope="module")
def refused(migrated):
    """The lint's lines about the migrations of the app `planted`, by the number of each."""
    process = start_on(migrated, "-m", "tests.upgrade.lint", settings=PLANTED)
    output = process.output.read()
    process.output.close()
    assert process.wait(WITHIN_S) == 1
    assert "Traceback" not in output, output
    lines = [line for line in output.splitlines() if line.startswith("planted.")]
    return {line[8:12]: [each for each in lines if each[8:12] == line[8:12]] for line in lines}


@pytest.mark.django_db
def test_our_migrations_pass():
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
def test_migration_that_breaks_old_code_or_locks_a_busy_table_is_refused(refused, number, code):
    assert any(f": {code}: " in line for line in refused[number])


@pytest.mark.parametrize("number", ["0001", "0002", "0003", "0004", "0005"])
def test_harmless_migration_passes(refused, number):
    assert number not in refused
