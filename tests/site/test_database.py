"""`DATABASES` from the environment."""

from pathlib import Path

from tradingsite.database import databases
from tradingsite.env import Environment

URL = "postgresql://trader:p%40ss@db.example:6432/trading?sslmode=require"


def default(**fields):
    return databases(Environment(**fields))["default"]


def test_without_a_url_the_project_starts_its_own():
    own = default(database_url=None, embedded_postgres_dir=Path("/data/postgres"))

    assert own["EMBEDDED_DIR"] == Path("/data/postgres")
    assert own["DIRECT"] == {}


def test_a_url_is_taken_apart_and_nothing_is_embedded():
    given = default(database_url=URL)

    assert given["EMBEDDED_DIR"] is None
    assert (given["USER"], given["PASSWORD"]) == ("trader", "p@ss")
    assert (given["HOST"], given["PORT"], given["NAME"]) == ("db.example", "6432", "trading")
    assert given["OPTIONS"]["sslmode"] == "require"
    assert given["DIRECT"] == {}


def test_a_direct_url_is_for_the_connections_that_must_not_be_pooled():
    direct = default(database_url=URL, database_direct_url="postgresql://trader@direct.example/trading")[
        "DIRECT"
    ]

    assert direct == {"user": "trader", "host": "direct.example", "dbname": "trading"}


def test_every_wait_has_a_limit():
    options = default()["OPTIONS"]

    assert options["pool"] == {"min_size": 2, "max_size": 20, "timeout": 3, "reconnect_timeout": 2}
    assert options["connect_timeout"] == 3
    assert "statement_timeout=15000" in options["options"]
    assert "lock_timeout=5000" in options["options"]
