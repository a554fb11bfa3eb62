"""An app whose migrations do what ours must, may or must not do."""

from django.apps import AppConfig

LOCK_TIMEOUT_S = 0.5


class PlantedConfig(AppConfig):
    name = "tests.upgrade.planted"
    label = "planted"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from tradingsite import migration_session

        migration_session.LOCK_TIMEOUT_S = LOCK_TIMEOUT_S
        migration_session._QUIET_S = 0.1
