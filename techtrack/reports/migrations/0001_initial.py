import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0004_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AirReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("period", models.CharField(max_length=7)),
                ("limits", models.CharField(max_length=64)),
                ("standard", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[("preliminary", "Preliminary"), ("signed", "Signed")],
                        default="preliminary",
                        max_length=11,
                    ),
                ),
                ("content", models.JSONField()),
                ("checksum", models.CharField(max_length=64)),
                ("drawn_up_at", models.DateTimeField()),
                ("signed_at", models.DateTimeField(null=True)),
                ("signer", models.CharField(blank=True, default="", max_length=300)),
                (
                    "drawn_up_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "signed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.site"
                    ),
                ),
            ],
            options={
                "ordering": ["-period", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "preliminary")),
                        fields=("site", "period", "limits", "standard"),
                        name="one_preliminary_report",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("signed_at", None), ("state", "preliminary")),
                            models.Q(("signed_at__isnull", False), ("state", "signed")),
                            _connector="OR",
                        ),
                        name="signed_report_says_when",
                    ),
                ],
            },
        ),
    ]
