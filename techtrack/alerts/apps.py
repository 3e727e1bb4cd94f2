"""The alerts app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Registers the tables and pages of alerts."""

    name = "techtrack.alerts"
    default_auto_field = "django.db.models.BigAutoField"
