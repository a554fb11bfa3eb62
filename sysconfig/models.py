"""The table of runtime settings. The rest of the code reads and writes it by `SystemConfig.objects`."""

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
MISSING = object()  # cached when a key that is not registered has no row
_cached = _cache.entries.get


class SystemConfigManager(ConfigWriter):
    """Reads through the cache; writes what the registry allows."""

    def get_value(self, key: str, default: Any = None, fresh: bool = False) -> Any:  # noqa: FBT001, FBT002 - a keyword-only one slows each hit
        """Return the committed value of `key`, typed as registered; read the cache first.

        An unregistered key gives its text, or `default` without a row; `default` never stands in for a
        registered key. Inside a transaction a miss loads what that transaction sees, and does not share it;
        a hit gives what was committed. `fresh` asks the database in any case.

        Raises:
            UnreadableConfig: a registered key has no row or one with an invalid text.
        """
        entry = _cached(key)  # TTLCache.get_or_set's hit, written out: this is read all the time
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
        """Return what this process's cache did and how well it hears of changes."""
        heard = listener.status()
        return {
            **_cache.stats(),
            "coalesced": _cache.coalesced,
            "discarded": _cache.discarded,
            "invalidations": dict(_cache.invalidations),
            "lease_age_s": heard.lease_age_s,
            "reconnects": heard.reconnects,
            "missed_notifications": heard.missed_notifications,
            "listening": heard.listening,
            "fingerprint": heard.fingerprint,
            "pid": os.getpid(),
        }

    def listener_status(self) -> ListenerStatus:
        """Return how well this process hears of changes; `started` is False before its first miss."""
        return listener.status()

    def snapshot(self) -> ConfigSnapshot:
        """Return all registered values of one committed state, from the database, in one SELECT.

        Raises:
            RuntimeError: called inside a transaction, which may see rows that are not committed, or old ones.
        """
        alias = router.db_for_write(self.model)
        nested = connections[alias].in_atomic_block
        # `durable` refuses a transaction around it; where there is none, it only adds BEGIN and COMMIT.
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
        rows = self.using(router.db_for_write(self.model)).filter(key=key)  # a replica may lag
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
            connections.close_all()  # the event loop's thread would keep its connection


class SystemConfig(models.Model):
    """One runtime setting: text here, typed in the code when its key is registered (`sysconfig.registry`).

    `queryset.update()` and plain SQL pass every check below by; what they break is refused when it is read.
    """

    key = models.CharField(_("key"), max_length=registry.KEY_MAX_LENGTH, unique=True)
    value = models.TextField(_("value"), blank=True)
    description = models.TextField(_("description"), null=True, blank=True)  # noqa: DJ001 - the specification's
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, db_default=Now())
    updated_at = models.DateTimeField(_("changed at"), auto_now=True, db_default=Now())

    objects = SystemConfigManager()
    cache: ClassVar[TTLCache[Any]] = _cache
    replaced: str | None = None  # the text that the last save or set_values put `value` in place of
    stale_keys: Collection[str] = ()  # what caches must forget with `key`: its name before

    class Meta:
        db_table = "system_config"
        verbose_name = _("runtime setting")
        verbose_name_plural = _("runtime settings")

    def __str__(self) -> str:
        return self.key

    def save(self, **options: Any) -> None:
        """Store the row. Raises InvalidConfigValue when a registered key, its limits or a rule forbids it."""
        fields = options.get("update_fields")
        if fields is not None and not {"key", "value"} & set(fields):
            super().save(**options)
            return
        alias = options.get("using") or router.db_for_write(type(self), instance=self)
        with attributed(alias):
            self.check_change(alias)
            super().save(**options)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:  # noqa: FBT001, FBT002 - Django's signature
        """Delete the row. Raises ProtectedError when its key is registered."""
        with attributed(using or router.db_for_write(type(self), instance=self)):
            return super().delete(using, keep_parents)

    def clean(self) -> None:
        """Report a refused change at the form's field; keep the locks of a transaction around it."""
        alias = self._state.db or router.db_for_write(type(self))
        try:
            with transaction.atomic(using=alias):
                self.check_change(alias)
        except InvalidConfigValue as refused:
            raise ValidationError({"value": [refused]}) from refused

    @property
    def differs_from_default(self) -> bool | None:
        """Whether it means something else than its key's default; None when its key is not registered."""
        key = registry.find(self.key)
        return None if key is None else not key.is_default(self.value)

    def check_change(self, alias: str) -> None:
        """Make `value` canonical and check what the row would become, with all rows of its rules locked."""
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
        """Store a checked text in a locked row."""
        self.replaced, self.value = self.value, text
        super().save(using=alias, update_fields=["value", "updated_at"])
