"""The project's own app: it joins what must not know of each other."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class TradingSiteConfig(AppConfig):
    """Registers the trader's configuration keys and guards the database's mode."""

    name = "tradingsite"

    def ready(self) -> None:
        from sysconfig import registry
        from tradingsite import startup, trading_config

        registry.register(trading_config.KEYS, trading_config.RULES)
        pre_migrate.connect(startup.refuse_to_migrate, sender=self)
        post_migrate.connect(startup.stamp_mode, sender=self)
