"""The telemetry app."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    """Registers the tables and pages of telemetry."""

    name = "techtrack.telemetry"
    default_auto_field = "django.db.models.BigAutoField"
