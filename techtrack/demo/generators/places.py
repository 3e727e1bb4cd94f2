"""Where generated readings go: this folder's own platform, started if need be, or one by its address and a key."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Role, Scope, internal
from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.assets import services as assets
from techtrack.assets.models import Asset, Kind
from techtrack.core import clock
from techtrack.core.clock import iso_duration
from techtrack.demo.server import NotReady, Server, is_ready

KEY_LIVES = timedelta(days=1)
Progress = Callable[[int, int], None]


class NoPlace(Exception):
    """There is nowhere to send readings to; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A simulated machine as its gateway knows it."""

    key: str
    name: str
    interval: timedelta

    def as_data(self) -> dict[str, Any]:
        """Return the fields of its asset."""
        return {"key": self.key, "name": self.name, "type": "simulated-machine", "tags": ["simulated"]}


def machines(count: int, *, interval: timedelta) -> list[Machine]:
    """Return the first ``count`` simulated machines: the same ones in every run."""
    return [Machine(f"sim-{number:04}", f"Simulated machine {number:04}", interval) for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class Place:
    """A platform that is there, and the text of a key that may send readings to it."""

    url: str
    key: str


def prepare() -> None:
    """Bring this folder's database up to date, as every start of the platform does."""
    settings.HOME.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def own_platform(fleet: list[Machine], *, say: Callable[[str], None], progress: Progress) -> Iterator[Place]:
    """Make the machines in this folder's platform, and give its address; one that does not run is started meanwhile.

    Raises:
        NoPlace: nobody administers it yet, or it does not start.
    """
    prepare()
    key = _own_key()
    _make_here(fleet, progress)
    connections.close_all()
    server = Server(host=settings.HOST, port=settings.PORT, log=_log(), settings_={})
    parts = urlsplit(server.url)
    ours = not is_ready(parts.hostname or "", parts.port)
    try:
        if ours:
            say(f"No platform answers at {server.url}; it is started there for as long as this takes.")
            server.start()
            server.wait()
        yield Place(server.url, key)
    except NotReady as error:
        raise NoPlace(str(error)) from error
    finally:
        if ours:
            server.stop()


def platform_at(url: str, key: str, fleet: list[Machine], *, progress: Progress) -> Place:
    """Return the platform at ``url``; machines that it does not have are made, if the key may.

    Raises:
        NoPlace: it does not answer, or does not know the key.
    """
    place = Place(url.rstrip("/"), key)
    caller = _Caller(place)
    for number, machine in enumerate(fleet, start=1):
        interval = {"expected_interval": iso_duration(machine.interval)}
        status, body = caller.post("/api/equipment/", {**machine.as_data(), **interval})
        if status in {http.client.UNAUTHORIZED, http.client.NOT_FOUND}:
            raise NoPlace(f"{place.url} does not take the key: {body[:200].decode(errors='replace')}")
        if status == http.client.FORBIDDEN:
            # An ingest key makes nothing: the machines are there, or the door will name those that are not.
            break
        progress(number, len(fleet))
    caller.close()
    return place


class _Caller:
    def __init__(self, place: Place) -> None:
        parts = urlsplit(place.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        if not parts.hostname:
            raise NoPlace(f"{place.url!r} is no address; http://127.0.0.1:8000 is one.")
        self._connection = kind(parts.hostname, parts.port, timeout=30)
        self._headers = {"Authorization": f"Api-Key {place.key}", "Content-Type": "application/json"}
        self._url = place.url

    def post(self, path: str, data: dict[str, Any]) -> tuple[int, bytes]:
        try:
            self._connection.request("POST", path, json.dumps(data).encode(), self._headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoPlace(f"{self._url} does not answer: {error}.") from error

    def close(self) -> None:
        self._connection.close()


def _own_key() -> str:
    """Make a key that lives for a day, in the name of an administrator."""
    administrators = User.objects.filter(memberships__site=None, memberships__role=Role.ADMIN, is_active=True)
    maker = administrators.order_by("pk").first()
    if maker is None:
        raise NoPlace("Nobody administers this platform yet: start it with `techtrack up` and make the first account.")
    now = clock.now()
    return accounts.create_key(
        by=access_of(maker),
        name="Load generator",
        scope=Scope.INGEST,
        site=None,
        asset_id=None,
        expires_at=now + KEY_LIVES,
        allowed_addresses=[],
        now=now,
    )[1]


def _make_here(fleet: list[Machine], progress: Progress) -> None:
    there = set(Asset.objects.filter(key__in=[machine.key for machine in fleet]).values_list("key", flat=True))
    missing = [machine for machine in fleet if machine.key not in there]
    for number, machine in enumerate(missing, start=1):
        data = {**machine.as_data(), "expected_interval": machine.interval}
        assets.create_asset(kind=Kind.EQUIPMENT, by=internal("simulate"), now=clock.now(), data=data)
        progress(number, len(missing))


def _log() -> Path:
    return Path(settings.HOME) / "simulate.log"
