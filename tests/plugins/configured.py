"""Loads Django's settings from the environment that tests.servers has arranged; pytest-django sees it and sets up."""

import django
from django.conf import settings

assert settings.DATABASES, "reading one setting loads them all"
django.setup()
