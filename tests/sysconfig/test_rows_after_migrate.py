"""Every registered key has its row after `migrate`, and only those that lack one get it."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from sysconfig import registry, signals
from sysconfig.models import SystemConfig
from sysconfig.registry import ConfigKey
from sysconfig.value_types import INTEGER


def rows():
    return dict(SystemConfig.objects.values_list("key", "value"))


def defaults():
    return {key.name: key.format(key.default) for key in registry.registered()}


@pytest.mark.django_db
def test_each_registered_key_has_its_default():
    assert rows() == defaults()
    assert len(rows()) >= 17


@pytest.mark.django_db(transaction=True)
def test_they_are_there_again_after_the_flush_of_another_test():
    call_command("flush", interactive=False, verbosity=0)

    assert rows() == defaults()


def test_migrate_adds_a_new_releases_key_and_overwrites_nothing(db, some_keys):
    SystemConfig.objects.set_value("stop_loss_pct", "7.5")
    registry.register([ConfigKey("t_new", INTEGER, 3)])
    for _ in range(2):
        signals.add_missing_rows(using="default")

    assert rows() == defaults() | {"stop_loss_pct": "7.5", "t_new": "3"}


@pytest.mark.django_db(transaction=True)
def test_migrate_runs_it_for_our_app():
    SystemConfig.objects.filter(key="stop_loss_pct")._raw_delete("default")
    call_command("migrate", "sysconfig", verbosity=0)

    assert rows() == defaults()


@pytest.mark.django_db
def test_a_database_without_the_table_is_left_alone():
    no_apps = MigrationLoader(connection).project_state(nodes=[]).apps

    signals.add_missing_rows(using="default", apps=no_apps)


@pytest.mark.django_db(transaction=True)
def test_the_table_and_its_trigger_can_be_removed_and_made_again():
    call_command("migrate", "sysconfig", "zero", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_proc WHERE proname = 'system_config_touch'")
        assert cursor.fetchone() == (0,)
    call_command("migrate", "sysconfig", verbosity=0)

    assert rows() == defaults()


def test_the_app_is_found_under_its_label():
    assert apps.get_app_config("sysconfig").path.endswith("/sysconfig")
    assert SystemConfig._meta.db_table == "system_config"
