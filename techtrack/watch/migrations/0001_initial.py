import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Check",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=24)),
                ("subject", models.CharField(blank=True, max_length=64)),
                ("active", models.BooleanField(default=False)),
                ("since", models.DateTimeField(null=True)),
                ("raised_at", models.DateTimeField(null=True)),
                ("flaps", models.PositiveSmallIntegerField(default=0)),
                ("alert_id", models.BigIntegerField(null=True)),
                ("memory", models.JSONField(null=True)),
            ],
            options={
                "ordering": ["kind", "subject"],
                "constraints": [models.UniqueConstraint(fields=("kind", "subject"), name="one_check_of_a_thing")],
            },
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("host", models.CharField(max_length=255)),
                ("pid", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("web", "web"), ("worker", "worker"), ("both", "both")], max_length=8
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("beat_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("loops", models.JSONField(default=dict)),
                ("disks", models.JSONField(default=dict)),
            ],
            options={"ordering": ["-beat_at"]},
        ),
    ]
