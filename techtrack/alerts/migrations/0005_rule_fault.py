import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0004_latched_counts")]

    operations = [
        migrations.CreateModel(
            name="RuleFault",
            fields=[
                (
                    "rule",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="fault",
                        serialize=False,
                        to="alerts.rule",
                    ),
                ),
                ("detail", models.TextField()),
                ("since", models.DateTimeField()),
            ],
        ),
    ]
