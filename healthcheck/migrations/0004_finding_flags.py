from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("healthcheck", "0003_overrides_and_alerts"),
    ]

    operations = [
        migrations.AddField(
            model_name="healthresult",
            name="flags",
            field=models.JSONField(blank=True, db_default={}, default=dict, verbose_name="flags"),
        ),
        migrations.AddField(
            model_name="healthresult",
            name="flags_at",
            field=models.DateTimeField(null=True, verbose_name="flags measured at"),
        ),
    ]
