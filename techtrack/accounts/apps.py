"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and where they belong."""

    name = "techtrack.accounts"
    default_auto_field = "django.db.models.BigAutoField"
