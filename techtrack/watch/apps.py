"""The watch app."""

from django.apps import AppConfig


class WatchConfig(AppConfig):
    """Registers the tables and pages of watching oneself."""

    name = "techtrack.watch"
    default_auto_field = "django.db.models.BigAutoField"
