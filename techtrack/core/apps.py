"""The kernel as a Django app: it owns the numbered heads and the idempotency records."""

from __future__ import annotations

from django.apps import AppConfig, apps


class CoreConfig(AppConfig):
    """Registers the kernel's tables."""

    name = "techtrack.core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import pre_delete  # noqa: PLC0415 - models load later than this file

        from techtrack.core import auditing  # noqa: PLC0415 - as above
        from techtrack.core.models import Versioned  # noqa: PLC0415 - as above

        for model in apps.get_models():
            # Of all hooks this alone hears of rows that go along with others.
            if issubclass(model, Versioned) and model.audited.cascades:
                pre_delete.connect(auditing.tell_cascade, sender=model)
