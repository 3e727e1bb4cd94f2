"""Second factors, lockout, limits, keys that rotate."""

from datetime import UTC, datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

USER = settings.AUTH_USER_MODEL


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_people")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="auth_time",
            # Long ago: who was logged in before proves it again, once, for what is dangerous.
            field=models.DateTimeField(default=datetime(2000, 1, 1, tzinfo=UTC)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="apikey",
            name="old_prefix",
            field=models.CharField(max_length=12, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="old_digest",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(model_name="apikey", name="old_until", field=models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="Allowance",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("full_at", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Lockout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64, unique=True)),
                ("address", models.CharField(blank=True, default="", max_length=64)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("pending", models.PositiveIntegerField(default=0)),
                ("tried_at", models.DateTimeField()),
                ("failed_at", models.DateTimeField(null=True)),
                ("locked_until", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to=USER
                    ),
                ),
            ],
            options={"ordering": ["-failed_at", "-pk"]},
        ),
        migrations.CreateModel(
            name="SecondFactor",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=USER,
                    ),
                ),
                ("sealed", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("last_step", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64)),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=USER),
                ),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("user", "digest"), name="recovery_code_once")]},
        ),
    ]
