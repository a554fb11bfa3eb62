"""Signal handlers: a saved row is invalidated in the cache, and registered rows exist and are not deleted."""

from functools import partial
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import transaction
from django.db.models import ProtectedError
from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver
from django.utils.translation import gettext

from sysconfig import registry
from sysconfig.authorship import attributed, attributed_to
from sysconfig.models import SystemConfig


@receiver([post_save, post_delete], sender=SystemConfig)
def forget(instance: SystemConfig, using: str, *, raw: bool = False, **_kwargs: Any) -> None:
    """Invalidate a changed row after the commit; any earlier, a reader could cache the old value again."""
    # A row from a fixture skips the check that detects a rename, so everything is invalidated.
    for key in (None,) if raw else {instance.key, *instance.stale_keys}:
        transaction.on_commit(partial(SystemConfig.cache.invalidate, key), using=using, robust=True)


@receiver(pre_delete, sender=SystemConfig)
def keep_registered(instance: SystemConfig, **_kwargs: Any) -> None:
    if registry.find(instance.key):
        message = gettext("%(key)s is registered and can't be deleted; reset it to its default instead")
        raise ProtectedError(message % {"key": instance.key}, {instance})


def add_missing_rows(using: str, apps: Apps = current_apps, **_kwargs: Any) -> None:
    """After `migrate`, add rows with defaults for registered keys that have none. Existing rows stay."""
    try:
        model = apps.get_model("sysconfig", "SystemConfig")
    except LookupError:  # migrated to zero: the table is gone
        return
    rows = [model(key=key.name, value=key.format(key.default)) for key in registry.registered()]
    with attributed_to("program", "migrate", ""), attributed(using):
        model._base_manager.using(using).bulk_create(rows, ignore_conflicts=True)  # noqa: SLF001 - Django documents it
    transaction.on_commit(SystemConfig.cache.invalidate, using=using)
