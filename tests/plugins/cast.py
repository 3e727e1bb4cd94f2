"""The cast and the plant: people with roles, two sites, a robot, a station, and a client for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from techtrack.accounts import backends, queries
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Site, User
from techtrack.assets.models import Equipment, Sensor
from techtrack.telemetry.models import LogConsumer
from tests import factories


@pytest.fixture
def now() -> datetime:
    """The moment at which tests take place: 2026-11-21 10:00 UTC."""
    return factories.NOW


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Argon2 with the least memory: the suite hashes hundreds of passwords."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"time_cost": 1, "memory_cost": 8, "parallelism": 1}.items():
            patch.setattr(backends.Argon2Hasher, name, value)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let no judge follow the log: a test that has one begins where it is made."""
    with django_db_blocker.unblock():
        LogConsumer.objects.all().delete()


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Forget what another test made the platform remember."""
    cache.clear()


@pytest.fixture
def plant(db: None) -> Site:
    """The site where most of the cast works."""
    return factories.make_site("Plant", timezone="Europe/Berlin")


@pytest.fixture
def other_site(db: None) -> Site:
    """A site of which the people of ``plant`` must learn nothing."""
    return factories.make_site("Elsewhere")


@pytest.fixture
def adam(db: None) -> User:
    """Admin for all sites."""
    return factories.make_user("adam", role=Role.ADMIN)


@pytest.fixture
def erik(plant: Site) -> User:
    """Engineer at the plant."""
    return factories.make_user("erik", role=Role.ENGINEER, site=plant)


@pytest.fixture
def olga(plant: Site) -> User:
    """Operator at the plant."""
    return factories.make_user("olga", role=Role.OPERATOR, site=plant)


@pytest.fixture
def vera(plant: Site) -> User:
    """Viewer at the plant."""
    return factories.make_user("vera", role=Role.VIEWER, site=plant)


@pytest.fixture
def mallory(db: None) -> User:
    """A self-registered outsider without any role."""
    return factories.make_user("mallory")


@pytest.fixture
def oscar(other_site: Site) -> User:
    """Olga's twin: operator at the other site."""
    return factories.make_user("oscar", role=Role.OPERATOR, site=other_site)


@pytest.fixture
def edda(other_site: Site) -> User:
    """Erik's twin: engineer at the other site."""
    return factories.make_user("edda", role=Role.ENGINEER, site=other_site)


@pytest.fixture
def robot(plant: Site) -> Equipment:
    """Equipment at the plant, known to its gateway as robot-1."""
    return factories.make_equipment("Robot 1", key="robot-1", site=plant, type=factories.make_type("robot"))


@pytest.fixture
def station(plant: Site) -> Sensor:
    """A sensor at the plant, known to its gateway as station-1."""
    return factories.make_sensor("Station 1", key="station-1", site=plant, type=factories.make_type("air-station"))


@pytest.fixture
def admin(client: Client, adam: User) -> Client:
    """A browser in which adam, who may do everything, is logged in."""
    adam.is_staff = adam.is_superuser = True
    adam.save()
    client.force_login(adam)
    return client


@pytest.fixture
def api(db: None) -> Callable[[User | None], APIClient]:
    """``api(olga)``: a client that speaks as olga with her real Access; ``api(None)`` is anonymous."""

    def client(user: User | None) -> APIClient:
        made = APIClient()
        if user is not None:
            made.force_authenticate(user, token=queries.access_of(user))
        return made

    return client
