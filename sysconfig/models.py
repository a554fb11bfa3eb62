"""The table of runtime settings. All other code reads and writes it through `SystemConfig.objects`."""

import os
from collections.abc import Callable, Collection
from contextlib import nullcontext
from functools import partial
from time import monotonic
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import connections, models, router, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from sysconfig import registry
from sysconfig.authorship import attributed
from sysconfig.cache import TTLCache
from sysconfig.changes import SystemConfigChange
from sysconfig.push import listener
from sysconfig.push.connection import direct_connect
from sysconfig.push.listener import ListenerStatus
from sysconfig.push.listener import config_cache as _cache
from sysconfig.push.processes import ConfigProcess
from sysconfig.registry import InvalidConfigValue
from sysconfig.snapshot import ConfigSnapshot
from sysconfig.writes import ConfigWriter

__all__ = ["ConfigProcess", "SystemConfig", "SystemConfigChange", "SystemConfigManager", "direct_connect"]
MISSING = object()  # cached for an unregistered key without a row
_cached = _cache.entries.get


class SystemConfigManager(ConfigWriter):
    """Reads through the cache; writes only what the registry allows."""

    def get_value(self, key: str, default: Any = None, fresh: bool = False) -> Any:  # noqa: FBT001, FBT002 - a keyword-only one slows each hit
        """Return the committed value of `key`, typed as registered, from the cache if possible.

        An unregistered key gives its text, or `default` without a row; a registered key never gives
        `default`. Inside a transaction a miss loads what that transaction sees, and does not cache it; a hit
        gives what was committed. `fresh` always reads the database.

        Raises:
            UnreadableConfig: a registered key has no row, or one with an invalid text.
        """
        entry = _cached(key)  # a hit of TTLCache.get_or_set, inlined: this runs all the time
        if entry is not None and monotonic() < entry[1] and not fresh:
            _cache.hits += 1
            value = entry[0]
        else:
            value = self._miss(key, _cache.reload if fresh else _cache.get_or_set)
        return default if value is MISSING else value

    async def aget_value(self, key: str, default: Any = None) -> Any:
        value = await _cache.aget_or_set(key, partial(self._load_and_disconnect, key))
        return default if value is MISSING else value

    def cache_report(self) -> dict[str, Any]:
        """Return the cache's counters, and how well this process receives changes."""
        listening = listener.status()
        return {
            **_cache.stats(),
            "coalesced": _cache.coalesced,
            "discarded": _cache.discarded,
            "invalidations": dict(_cache.invalidations),
            "lease_age_s": listening.lease_age_s,
            "reconnects": listening.reconnects,
            "missed_notifications": listening.missed_notifications,
            "listening": listening.listening,
            "fingerprint": listening.fingerprint,
            "pid": os.getpid(),
        }

    def listener_status(self) -> ListenerStatus:
        """Return how well this process receives changes; `started` is False before the first miss."""
        return listener.status()

    def snapshot(self) -> ConfigSnapshot:
        """Return all registered values of one committed state, in one SELECT.

        Raises:
            RuntimeError: called inside a transaction, which may see uncommitted or outdated rows.
        """
        alias = router.db_for_write(self.model)
        nested = connections[alias].in_atomic_block
        # `durable` raises inside a transaction; outside it would only add BEGIN and COMMIT.
        with transaction.atomic(using=alias, durable=True) if nested else nullcontext():
            return ConfigSnapshot(dict(self.using(alias).values_list("key", "value")))

    def _miss(self, key: str, read: Callable[[str, Callable[[], Any]], Any]) -> Any:
        connection = connections[router.db_for_write(self.model)]
        load = partial(self._load, key)
        if connection.in_atomic_block or not connection.get_autocommit():
            return _cache.load_uncached(load)
        listener.ensure_listening()
        return read(key, load)

    def _load(self, key: str) -> Any:
        # The primary, since a replica may lag behind.
        rows = self.using(router.db_for_write(self.model)).filter(key=key)
        text = next(iter(rows.values_list("value", flat=True)), None)
        spec = registry.find(key)
        if spec is not None:
            return spec.read(text)
        return MISSING if text is None else text

    def _load_and_disconnect(self, key: str) -> Any:
        listener.ensure_listening()
        try:
            return self._load(key)
        finally:
            connections.close_all()  # otherwise the thread of the event loop would keep its connection


class SystemConfig(models.Model):
    """One runtime setting. It is stored as text, and has a type in code when its key is registered.

    `queryset.update()` and plain SQL bypass every check below; invalid values are then rejected when read.
    """

    key = models.CharField(_("key"), max_length=registry.KEY_MAX_LENGTH, unique=True)
    value = models.TextField(_("value"), blank=True)
    description = models.TextField(_("description"), null=True, blank=True)  # noqa: DJ001 - the specification's
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, db_default=Now())
    updated_at = models.DateTimeField(_("changed at"), auto_now=True, db_default=Now())

    objects = SystemConfigManager()
    cache: ClassVar[TTLCache[Any]] = _cache
    replaced: str | None = None  # the text that the last save or set_values replaced
    stale_keys: Collection[str] = ()  # other keys to invalidate: the name before a rename

    class Meta:
        db_table = "system_config"
        verbose_name = _("runtime setting")
        verbose_name_plural = _("runtime settings")

    def __str__(self) -> str:
        return self.key

    def save(self, **options: Any) -> None:
        """Store the row.

        Raises InvalidConfigValue if the type, the limits or a rule of its key forbids it.
        """
        fields = options.get("update_fields")
        if fields is not None and not {"key", "value"} & set(fields):
            super().save(**options)
            return
        alias = options.get("using") or router.db_for_write(type(self), instance=self)
        with attributed(alias):
            self.check_change(alias)
            super().save(**options)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:  # noqa: FBT001, FBT002 - Django's signature
        """Delete the row. Raises ProtectedError if its key is registered."""
        with attributed(using or router.db_for_write(type(self), instance=self)):
            return super().delete(using, keep_parents)

    def clean(self) -> None:
        """Report an invalid value at the form's field; the locks of an outer transaction are kept."""
        alias = self._state.db or router.db_for_write(type(self))
        try:
            with transaction.atomic(using=alias):
                self.check_change(alias)
        except InvalidConfigValue as refused:
            raise ValidationError({"value": [refused]}) from refused

    @property
    def differs_from_default(self) -> bool | None:
        """Whether the value differs from the default; None when the key is not registered."""
        key = registry.find(self.key)
        return None if key is None else not key.is_default(self.value)

    def check_change(self, alias: str) -> None:
        """Normalise `value` and check it, with all rows of its rules locked. Raises InvalidConfigValue."""
        before = type(self).objects.using(alias).filter(pk=self.pk).values_list("key", flat=True)
        old_key = next(iter(before), self.key)
        if old_key != self.key and registry.find(old_key):
            raise InvalidConfigValue(old_key, self.key, _("a registered key can't be renamed"))
        self.value = registry.text_of(self.key, self.value)
        stored = {
            key: row.value for key, row in type(self).objects.locked({self.key, old_key}, alias).items()
        }
        registry.check_rules({self.key: self.value}, stored)
        self.replaced = stored.get(old_key)
        self.stale_keys = (old_key,)

    def replace_value(self, text: str, alias: str) -> None:
        """Store a text that was checked already, in a locked row."""
        self.replaced, self.value = self.value, text
        super().save(using=alias, update_fields=["value", "updated_at"])
