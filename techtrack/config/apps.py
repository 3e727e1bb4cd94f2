"""The top of the house as a Django app: it connects the pipeline once everything is loaded."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Connects pipeline.py at start-up."""

    name = "techtrack.config"

    def ready(self) -> None:
        from techtrack import pipeline  # noqa: PLC0415 - the apps must be loaded first

        pipeline.connect()
