"""Emptying the tables between tests."""

from typing import Any

from django.db.backends.postgresql import operations


class DatabaseOperations(operations.DatabaseOperations):
    """PostgreSQL's, with a flush that takes a hundredth of TRUNCATE's time on small tables."""

    def sql_flush(
        self, style: Any, tables: Any, *, reset_sequences: bool = False, allow_cascade: bool = False
    ) -> list[str]:
        """Return statements that empty `tables`, on an embedded server without firing any trigger."""
        embedded = self.connection.settings_dict.get("EMBEDDED_DIR") is not None
        if reset_sequences or allow_cascade or not tables or not embedded:
            return super().sql_flush(
                style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade
            )
        # As a replica: foreign keys need no order then. It takes a superuser, which we are there.
        deletes = [f"DELETE FROM {self.quote_name(table)}" for table in tables]  # noqa: S608 - quoted names
        return ["SET LOCAL session_replication_role = replica", *deletes]
