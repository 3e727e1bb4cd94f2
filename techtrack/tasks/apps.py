"""The tasks app."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Registers the tables and pages of tasks."""

    name = "techtrack.tasks"
    default_auto_field = "django.db.models.BigAutoField"
