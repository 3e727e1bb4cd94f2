"""Marks that tests lay say which test it was."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0004_forgotten")]

    operations = [
        migrations.AddField(
            model_name="qualitymark",
            name="flag",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AddIndex(
            model_name="qualitymark",
            index=models.Index(fields=["end_at"], name="mark_of_late"),
        ),
    ]
