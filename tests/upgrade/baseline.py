"""The release before: its code must work while this tree's migrations are applied, and after.

Run as a module it brings an empty database to that release's schema. When a release is made, its last
migrations and its commit are written here, and `ALLOWED` is emptied.
"""

import os

RELEASE = "0.6.0"
COMMIT = "748036a"
LAST_MIGRATIONS = {
    "healthcheck": "0003_overrides_and_alerts",
    "jobs": "0002_leadership_and_control",
    "marketdata": "0002_venue_evidence",
    "orders": "0003_moves",
    "risk": "0001_initial",
    "strategy": "0002_calls_and_outcomes",
    "sysconfig": "0002_history_and_push",
    "tradingsite": "0001_initial",
}
# Differences that do no harm to that release, each with the reason.
ALLOWED: dict[str, str] = {}


def _migrate() -> None:
    import django
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    django.setup()
    executor = MigrationExecutor(connection)
    executor.migrate(
        [(app, LAST_MIGRATIONS.get(app, name)) for app, name in executor.loader.graph.leaf_nodes()]
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
    _migrate()
