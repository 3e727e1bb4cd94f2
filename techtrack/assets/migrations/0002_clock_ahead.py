from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assets", "0001_initial")]

    operations = [
        migrations.AddField("assetstate", "clock_ahead", models.PositiveIntegerField(null=True)),
    ]
