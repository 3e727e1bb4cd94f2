from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assets", "0002_clock_ahead")]

    operations = [
        migrations.AddField(model_name="assettype", name="running", field=models.JSONField(null=True)),
    ]
