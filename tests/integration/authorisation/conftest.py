"""The world of the matrix, built once for all tests of a file, and undone after them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from techtrack.core import clock
from tests.integration.authorisation import building
from tests.integration.authorisation.walk import Walker, undone
from tests.integration.authorisation.world import NOW, World


@pytest.fixture(scope="module")
def walker(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Walker]:
    """Whoever walks through the matrix; it is NOW for as long."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), undone():
        for name in ("now", "plant_now"):
            patch.setattr(clock, name, lambda: NOW)
        # Everybody asks at this one moment, from this one address.
        patch.setattr(settings, "LIMITS", dict.fromkeys(settings.LIMITS, 0))
        yield Walker(building.build())


@pytest.fixture
def world(walker: Walker) -> World:
    """Both sites and everybody."""
    return walker.world
