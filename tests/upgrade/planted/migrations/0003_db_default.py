from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("planted", "0002_nullable")]
    operations = [
        migrations.AddField("thing", "seen", models.BooleanField(default=False, db_default=False)),
    ]
