"""An app whose migrations do what ours must, may or must not do."""

from django.apps import AppConfig


class PlantedConfig(AppConfig):
    name = "tests.upgrade.planted"
    label = "planted"
    default_auto_field = "django.db.models.BigAutoField"
