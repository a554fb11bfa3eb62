"""`DATABASES` from the environment."""

from pathlib import Path

import psycopg

from tradingsite.database import databases
from tradingsite.env import Environment

URL = "postgresql://trader:p%40ss@db.example:6432/trading?sslmode=require"


def default(**fields):
    return databases(Environment(**fields))["default"]


def test_embedded_server_is_used_without_a_url():
    own = default(database_url=None, embedded_postgres_dir=Path("/data/postgres"))

    assert own["EMBEDDED_DIR"] == Path("/data/postgres")
    assert own["DIRECT"] == {}


def test_data_may_be_relocated_unless_their_folder_is_named():
    var = Path("/site/var")

    assert default(var_dir=var, embedded_postgres_dir=var / "postgres")["EMBEDDED_RELOCATABLE"]
    assert not default(var_dir=var, embedded_postgres_dir=Path("/data/postgres"))["EMBEDDED_RELOCATABLE"]


def test_url_is_taken_apart_and_no_server_is_embedded():
    given = default(database_url=URL)

    assert given["EMBEDDED_DIR"] is None
    assert (given["USER"], given["PASSWORD"]) == ("trader", "p@ss")
    assert (given["HOST"], given["PORT"], given["NAME"]) == ("db.example", "6432", "trading")
    assert given["OPTIONS"]["sslmode"] == "require"
    assert given["DIRECT"] == {}


def test_direct_url_is_for_connections_that_must_bypass_a_pooler():
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


def shown_by_the_server(url, *parameters):
    """Return the server's values for a connection with a URL's options."""
    options = default(database_url=url)["OPTIONS"]
    with psycopg.connect(url, options=options["options"]) as connection:
        return [connection.execute(f"SHOW {name}").fetchall()[0][0] for name in parameters]


def test_options_in_the_url_are_added_to_the_limits(databases):
    url = f"{databases.create().url}&options=-c%20search_path%3Dtrading"

    shown = shown_by_the_server(url, "statement_timeout", "lock_timeout", "search_path")

    assert shown == ["15s", "5s", "trading"]


def test_limit_in_the_url_replaces_that_limit_alone(databases):
    url = f"{databases.create().url}&options=-c%20statement_timeout%3D60000&connect_timeout=9"

    assert shown_by_the_server(url, "statement_timeout", "lock_timeout") == ["1min", "5s"]
    assert default(database_url=url)["OPTIONS"]["connect_timeout"] == "9"
    assert default(database_url=url)["OPTIONS"]["tcp_user_timeout"] == 9000
