from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("planted", "0009_plain_index")]
    operations = [
        migrations.AddConstraint(
            "thing", models.CheckConstraint(condition=~models.Q(name=""), name="thing_has_name")
        ),
    ]
