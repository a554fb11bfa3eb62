"""`manage.py prepare`: everything that `make run` needs before it starts its processes."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS

from tradingsite.local_files import DEMO_OPERATOR, demo_password
from tradingsite.migration_session import migration_session


class Command(BaseCommand):
    help = "Migrate, collect static files and, in sandbox mode, create the demo operator. Part of `make run`."

    def handle(self, **options: Any) -> None:
        self.stdout.write("Preparing the database ...")
        with migration_session(DEFAULT_DB_ALIAS, self.stdout):
            call_command("migrate", verbosity=0, stdout=self.stdout)  # fails for the other mode's database
            settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
            call_command("collectstatic", interactive=False, verbosity=0, stdout=self.stdout)
            if not settings.LIVE:
                self._make_operator()

    def _make_operator(self) -> None:
        users = get_user_model().objects
        password = demo_password(settings.VAR_DIR)
        operator, made = users.get_or_create(
            username=DEMO_OPERATOR, defaults={"is_staff": True, "is_superuser": True}
        )
        if made or not operator.check_password(password):
            operator.set_password(password)
            operator.save(update_fields=["password"])
