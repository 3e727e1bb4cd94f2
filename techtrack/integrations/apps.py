"""The integrations app."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Registers the tables and pages of integrations."""

    name = "techtrack.integrations"
    default_auto_field = "django.db.models.BigAutoField"
