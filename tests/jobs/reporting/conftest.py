import pytest
from django.db import connection


@pytest.fixture
def still_clock(db):
    """Stop the database's clock until the test's transaction ends: on a busy machine no age grows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()::text")
        ((now,),) = cursor.fetchall()
        cursor.execute("CREATE SCHEMA still")
        cursor.execute(
            "CREATE FUNCTION still.statement_timestamp() RETURNS timestamptz"
            f" LANGUAGE sql STABLE RETURN '{now}'::timestamptz"
        )
        cursor.execute("SET LOCAL search_path = still, public, pg_catalog")
