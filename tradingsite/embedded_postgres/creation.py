"""Creates and drops the test database."""

from typing import Any

from django.db.backends.postgresql import creation


class DatabaseCreation(creation.DatabaseCreation):
    """PostgreSQL's class, adapted to the pool and to connections that threads left open."""

    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        """Close the pool first: with the old pool all tests would use the real database."""
        self.connection.close()
        self.connection.close_pool()
        return super().create_test_db(*args, **kwargs)

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        self.connection.close_pool()
        name = self.connection.ops.quote_name(test_database_name)
        with self._nodb_cursor() as cursor:  # type: ignore[attr-defined]  # missing in django-stubs
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
