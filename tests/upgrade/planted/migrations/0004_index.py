from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("planted", "0003_db_default")]
    operations = [
        AddIndexConcurrently("thing", models.Index(fields=["name"], name="thing_name")),
    ]
