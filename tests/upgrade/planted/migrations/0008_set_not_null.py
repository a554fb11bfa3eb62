from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("planted", "0007_one_of_two")]
    operations = [
        migrations.AlterField("thing", "at", models.DateTimeField(db_default=Now())),
    ]
