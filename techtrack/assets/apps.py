"""The assets app."""

from django.apps import AppConfig


class AssetsConfig(AppConfig):
    """Registers the tables and pages of assets."""

    name = "techtrack.assets"
    default_auto_field = "django.db.models.BigAutoField"
