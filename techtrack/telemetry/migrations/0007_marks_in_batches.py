"""Marks are found by asset and time, and who lays them may stop in the middle of an entry of the log."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0006_wind_as_vectors")]

    operations = [
        migrations.AddField(
            model_name="logconsumer",
            name="readings",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddIndex(
            model_name="qualitymark",
            index=models.Index(fields=["asset_id", "end_at", "start_at"], name="mark_of_asset_by_time"),
        ),
    ]
