"""The site's own app: it connects the apps that must not import each other."""

import gc

import django_stubs_ext
from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class TradingSiteConfig(AppConfig):
    """Registers the trader's settings, and keeps `migrate` away from a database of the other trading mode."""

    name = "tradingsite"

    def ready(self) -> None:
        # The collector need not look through modules and classes, now or at the end of the process.
        gc.freeze()
        gc.enable()
        django_stubs_ext.monkeypatch()  # `ModelAdmin[Model]` at run time; no admin is imported before this
        from sysconfig import registry
        from tradingsite import startup, trading_config

        registry.register(trading_config.KEYS, trading_config.RULES)
        pre_migrate.connect(startup.refuse_to_migrate, sender=self)
        post_migrate.connect(startup.stamp_mode, sender=self)
