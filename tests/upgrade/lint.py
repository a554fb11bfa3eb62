"""Refuse migrations that break the previous release. docs/migrations.md has the rules."""

import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import django
from django.apps import apps
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
from django.db.migrations import AddConstraint, AddField, AlterField, CreateModel, Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import CheckConstraint, Field, GeneratedField

from tests.upgrade.baseline import LAST_MIGRATIONS

# Accepted exceptions: {(app, migration): {code: reason}}. Example: dropping a column that the previous
# release no longer uses.
ALLOWED: dict[tuple[str, str], dict[str, str]] = {}
_PROJECT_PACKAGES = ("tradingsite", "healthcheck", "sysconfig", "tests")


def problems() -> list[str]:
    """Return a line for each thing that is wrong in our migrations after those of the previous release."""
    from django_migration_linter.migration_linter import MigrationLinter

    linter = MigrationLinter(no_cache=True, analyser_string="postgresql")
    graph = linter.migration_loader.graph
    old = {key for last in LAST_MIGRATIONS.items() for key in graph.forwards_plan(last)}
    ours = {
        config.label for config in apps.get_app_configs() if config.name.split(".")[0] in _PROJECT_PACKAGES
    }
    return [
        f"{app}.{name}: {code}: {message}"
        for (app, name), migration in sorted(linter.migration_loader.disk_migrations.items())
        if app in ours and (app, name) not in old
        for code, message in _problems(linter, migration)
        if code not in ALLOWED.get((app, name), {})
    ]


def _problems(linter, migration: Migration) -> Iterator[tuple[str, str]]:
    from django_migration_linter.sql_analyser.analyser import analyse_sql_statements

    sql = linter.get_sql(migration.app_label, migration.name)
    found = analyse_sql_statements(linter.sql_analyser_class, sql, [])
    for issues in (*found, *linter.analyse_data_migration(migration)):
        for issue in issues:  # a warning counts as an error: the lock is the same
            yield issue.code, issue.message
    before = linter.migration_loader.project_state((migration.app_label, migration.name), at_end=False)
    yield from _additional_problems(migration, before)


def _additional_problems(migration: Migration, before: ProjectState) -> Iterator[tuple[str, str]]:
    """Find what the linter can't see: it takes a database default on one column for one on every column."""
    concurrent = (AddIndexConcurrently, RemoveIndexConcurrently)
    if not migration.atomic and not (
        len(migration.operations) == 1 and isinstance(migration.operations[0], concurrent)
    ):
        yield (
            "NOT_ATOMIC",
            "cannot be rerun after a failure: non-atomic is for one concurrent index, alone",
        )
    created_models = {op.name_lower for op in migration.operations if isinstance(op, CreateModel)}
    for operation in migration.operations:
        if getattr(operation, "model_name_lower", None) not in created_models:
            yield from _operation_problems(operation, migration.app_label, before)


def _operation_problems(operation: Operation, app: str, before: ProjectState) -> Iterator[tuple[str, str]]:
    match operation:
        case AddField(field=field) if not _insert_may_omit(field):
            yield "NO_DB_DEFAULT", f"{operation.name} is NOT NULL without db_default: old code's INSERT fails"
        case AlterField(field=field) if not field.null:
            if before.models[app, operation.model_name_lower].fields[operation.name].null:
                yield "SETS_NOT_NULL", f"{operation.name} becomes NOT NULL: old code writes NULL"
        case AddConstraint(constraint=CheckConstraint()) if not isinstance(operation, AddConstraintNotValid):
            yield (
                "CHECK_VALIDATES",
                "validation scans the table under a lock: use AddConstraintNotValid, then ValidateConstraint",
            )


def _insert_may_omit(field: "Field[Any, Any]") -> bool:
    return field.null or field.many_to_many or field.has_db_default() or isinstance(field, GeneratedField)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
    django.setup()
    logging.getLogger("django_migration_linter").setLevel(logging.WARNING)
    sys.exit("\n".join(problems()) or None)
