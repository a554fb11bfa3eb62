import django.db.models.functions.datetime
from django.db import migrations, models

# Django sets updated_at itself; this is for plain SQL, which does not.
TOUCH = """
CREATE FUNCTION system_config_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER system_config_touch BEFORE UPDATE ON system_config FOR EACH ROW
    WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION system_config_touch();
"""
UNTOUCH = """
DROP TRIGGER system_config_touch ON system_config;
DROP FUNCTION system_config_touch();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="SystemConfig",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=100, unique=True, verbose_name="key")),
                ("value", models.TextField(blank=True, verbose_name="value")),
                ("description", models.TextField(blank=True, null=True, verbose_name="description")),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True,
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="created at",
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        auto_now=True,
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="changed at",
                    ),
                ),
            ],
            options={
                "verbose_name": "runtime setting",
                "verbose_name_plural": "runtime settings",
                "db_table": "system_config",
            },
        ),
        migrations.RunSQL(TOUCH, UNTOUCH),
    ]
