from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("planted", "0010_check")]
    operations = [
        migrations.AddField("thing", "note", models.TextField(null=True)),
        AddIndexConcurrently("thing", models.Index(fields=["note"], name="thing_note")),
    ]
