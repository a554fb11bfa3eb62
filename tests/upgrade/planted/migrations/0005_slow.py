from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("planted", "0004_index")]
    operations = [
        migrations.RunSQL("SELECT pg_sleep(1.5)", migrations.RunSQL.noop),
    ]
