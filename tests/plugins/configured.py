"""Loads Django's settings from the environment that tests.servers has arranged; pytest-django sees it and sets up."""

from collections.abc import Iterator

import django
import pytest
from django.conf import settings

from techtrack.core.acting import SYSTEM, acting

assert settings.DATABASES, "reading one setting loads them all"
django.setup()
# Every test client loads the middleware anew, and would look through all static files each time: 20 ms a test.
settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def _nobody_acts() -> Iterator[None]:
    """Begin each test as the platform, whoever the one before acted as."""
    with acting(lambda: SYSTEM):
        yield
