"""The demo app."""

from django.apps import AppConfig
from django.conf import settings


class DemoConfig(AppConfig):
    """Registers the tables and pages of demo."""

    name = "techtrack.demo"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let every process of a demo live in the demo's time."""
        if settings.DEMO:
            from techtrack.demo.clock import install_plant_clock  # noqa: PLC0415 - only a demo pays for it

            install_plant_clock()
