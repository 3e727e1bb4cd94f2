"""The environment app."""

from django.apps import AppConfig


class EnvironmentConfig(AppConfig):
    """Registers the tables of air quality."""

    name = "techtrack.environment"
    default_auto_field = "django.db.models.BigAutoField"
