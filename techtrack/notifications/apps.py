"""The notifications app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Registers the tables and pages of notifications."""

    name = "techtrack.notifications"
    default_auto_field = "django.db.models.BigAutoField"
