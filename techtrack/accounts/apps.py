"""The accounts app."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out


class AccountsConfig(AppConfig):
    """People and where they belong."""

    name = "techtrack.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from techtrack.accounts import browsers  # noqa: PLC0415 - the apps must be loaded first

        user_logged_in.connect(browsers.begin)
        user_logged_out.connect(browsers.end)
