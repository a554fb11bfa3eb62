from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("healthcheck", "0004_finding_flags"),
    ]

    operations = [
        migrations.AlterField(
            model_name="healthoverride",
            name="kind",
            field=models.CharField(
                choices=[
                    ("maintenance", "maintenance: paused on purpose"),
                    ("warn", "rehearsal: warn"),
                    ("fail", "rehearsal: fail"),
                ],
                max_length=11,
                verbose_name="kind",
            ),
        ),
    ]
