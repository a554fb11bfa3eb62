from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("planted", "0006_no_db_default")]
    operations = [
        migrations.AddField("thing", "without", models.BooleanField(default=False)),
        migrations.AddField("thing", "with", models.BooleanField(default=False, db_default=False)),
    ]
