"""The web app."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Registers the tables and pages of web."""

    name = "techtrack.web"
    default_auto_field = "django.db.models.BigAutoField"
