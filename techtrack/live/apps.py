"""The live app."""

from django.apps import AppConfig


class LiveConfig(AppConfig):
    """Registers the tables and pages of live."""

    name = "techtrack.live"
    default_auto_field = "django.db.models.BigAutoField"
