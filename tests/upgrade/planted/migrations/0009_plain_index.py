from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("planted", "0008_set_not_null")]
    operations = [
        migrations.AddIndex("thing", models.Index(fields=["at"], name="thing_at")),
    ]
