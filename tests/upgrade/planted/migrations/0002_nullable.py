from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("planted", "0001_initial")]
    operations = [
        migrations.AddField("thing", "at", models.DateTimeField(null=True)),
    ]
