from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("planted", "0005_slow")]
    operations = [
        migrations.AddField("thing", "hidden", models.BooleanField(default=False)),
    ]
