"""Assets that were deleted are remembered, so that nothing of them can come back."""

from django.db import migrations, models

# What the log tells of deletions that are not folded yet.
_FROM_THE_LOG = """
INSERT INTO telemetry_forgotten (asset_id, position)
SELECT first_asset, MAX(position) FROM telemetry_segment WHERE kind = 5 GROUP BY first_asset
"""


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0003_upkeep_and_runs")]

    operations = [
        migrations.CreateModel(
            name="Forgotten",
            fields=[
                ("asset_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(db_index=True)),
            ],
        ),
        migrations.RunSQL(_FROM_THE_LOG, migrations.RunSQL.noop),
    ]
