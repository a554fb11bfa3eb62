"""The release before works on this tree's schema: both run while one replaces the other."""

import pytest

from tests.upgrade.baseline import ALLOWED, RELEASE
from tests.upgrade.processes import run
from tests.upgrade.schema import breaks


@pytest.fixture(scope="module")
def of_the_release_before(databases):
    database = databases.create()
    run(database, "-m", "tests.upgrade.baseline")
    return database


def test_schema_has_nothing_that_breaks_the_release_before(of_the_release_before, migrated):
    found = breaks(of_the_release_before, migrated)

    assert found == ALLOWED.keys(), f"{RELEASE} would fail on this schema: docs/migrations.md"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("ADD COLUMN odd boolean NOT NULL", "health_sample.odd is NOT NULL without a default"),
        ("ALTER COLUMN latency_ms SET NOT NULL", "health_sample.latency_ms is double precision NOT NULL now"),
        ("ALTER COLUMN latency_ms TYPE real", "health_sample.latency_ms is real now"),
        ("DROP COLUMN judged", "health_sample.judged is gone"),
        ("ADD CONSTRAINT fast CHECK (latency_ms < 5)", "health_sample has a new rule fast: CHECK"),
        ("ADD CONSTRAINT once UNIQUE (status)", "health_sample has a new rule once: UNIQUE (status)"),
    ],
)
def test_breaking_change_is_found(databases, of_the_release_before, change, line):
    changed = databases.create(of_the_release_before)
    changed.query(f"ALTER TABLE health_sample {change}")

    [found] = breaks(of_the_release_before, changed)
    assert found.startswith(line)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE health_sample ADD COLUMN odd boolean",
        "ALTER TABLE health_sample ADD COLUMN odd boolean NOT NULL DEFAULT false",
        "ALTER TABLE health_sample ALTER COLUMN component DROP NOT NULL",
        "CREATE TABLE new (id bigint PRIMARY KEY, name text NOT NULL)",
        "CREATE INDEX odd ON health_sample (status)",
    ],
)
def test_harmless_change_passes(databases, of_the_release_before, change):
    changed = databases.create(of_the_release_before)
    changed.query(change)

    assert breaks(of_the_release_before, changed) == set()
