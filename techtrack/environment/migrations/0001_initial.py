import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def follow(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """Let the tests of readings follow the log from here on: what comes before their first look is tested as well."""
    consumers, heads = apps.get_model("telemetry", "LogConsumer"), apps.get_model("core", "Head")
    head = heads.objects.filter(name="log:0").first()
    if not consumers.objects.filter(name="quality", lane=0).exists():
        consumers.objects.create(name="quality", lane=0, position=head.last if head else 0)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("assets", "0003_running"),
        ("core", "0001_initial"),
        ("telemetry", "0005_flags"),
    ]

    operations = [
        migrations.CreateModel(
            name="AirSettings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("reference_temperature", models.FloatField(null=True)),
                ("reference_pressure", models.FloatField(null=True)),
                ("corrections", models.JSONField(default=dict)),
                ("checks", models.JSONField(default=dict)),
                (
                    "sensor",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="assets.asset"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "air settings",
                "ordering": ["sensor"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("reference_temperature", None), ("reference_temperature__gt", -273.15), _connector="OR"
                        ),
                        name="air_reference_above_absolute_zero",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reference_pressure", None), ("reference_pressure__gt", 0), _connector="OR"),
                        name="air_reference_has_pressure",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Round",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("hour", models.BigIntegerField()),
            ],
        ),
        migrations.RunPython(follow, migrations.RunPython.noop),
    ]
