from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("planted", "0011_index_and_more")]
    operations = [
        migrations.RemoveField("thing", "seen"),
    ]
