"""The reports app."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Registers the tables of reports."""

    name = "techtrack.reports"
    default_auto_field = "django.db.models.BigAutoField"
