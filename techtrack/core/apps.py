"""The kernel as a Django app: it owns the numbered heads and the idempotency records."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Registers the kernel's tables."""

    name = "techtrack.core"
    default_auto_field = "django.db.models.BigAutoField"
