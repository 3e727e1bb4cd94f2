"""A full disk: writes are refused in good order, reads go on, nothing acknowledged is lost; room alone heals it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from techtrack.core import clock
from tests import servers
from tests.campaigns.disks import small_disk
from tests.campaigns.nursery import Nursed
from tests.campaigns.postgres import Server
from tests.campaigns.scale import new_seed
from tests.plugins.platform import Platform

# One after the other: each needs the machine for itself more than most tests do.
pytestmark = pytest.mark.xdist_group("campaigns")
AT_ONCE = 2000
# More than a write-ahead log can take that was allocated before the disk was full.
MOST_BATCHES = 600
HEALS_WITHIN = 20.0
ASSET = "machine"


class Filler:
    """The other things on a disk, that grow until nothing is left."""

    def __init__(self, disk: Path) -> None:
        self._file = disk / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._file.open("ab", buffering=0) as file:
            for size in (2**20, 4096, 512):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def clear(self) -> None:
        """Give the room back."""
        self._file.unlink()


@dataclass
class Sender:
    """Sends batches of numbered readings, whose values do not compress."""

    platform: Platform
    begins: datetime
    dice: random.Random
    acknowledged: int = 0
    last: list[dict] = field(default_factory=list)

    def send(self) -> requests.Response:
        """Send the next batch, or the one that was refused once more."""
        start = self.acknowledged * AT_ONCE
        self.last = self.last or [self._item(start + number) for number in range(AT_ONCE)]
        answer = self.platform.call("POST", "/api/ingest/", json={"items": self.last})
        if answer.status_code == 200:
            self.acknowledged, self.last = self.acknowledged + 1, []
        return answer

    def _item(self, number: int) -> dict:
        at = clock.isoformat(self.begins + number * timedelta(milliseconds=10))
        values = {"number": number, "a": self.dice.random(), "b": self.dice.random(), "c": self.dice.random()}
        return {"asset": ASSET, "timestamp": at, "values": values}


@dataclass
class Place:
    """A platform whose database is on a small disk; ``server`` is that of PostgreSQL."""

    platform: Platform
    filler: Filler
    server: Server | None

    def restart_what_died(self) -> None:
        """Do what a service manager does: PostgreSQL ends itself when it cannot write its log."""
        if self.server is not None and not self.server.answers():
            self.server.kill()
            self.server.start()


@contextmanager
def place_on_small_disk(tmp_path: Path, *bugs: str) -> Iterator[Place]:
    """Start a platform whose data folder and database are on a disk of their own."""
    megabytes = 160 if servers.on_postgres() else 16
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk", megabytes))
        server, home, url = None, disk / "home", f"sqlite:///{disk / 'techtrack.sqlite3'}"
        home.mkdir()
        if servers.on_postgres():
            server = Server(disk / "pg", sockets=tmp_path / "sockets")
            server.create()
            url = server.start()
            stack.callback(server.stop)
        platform = Platform(home, database_url=url)
        serving = Nursed("up", str(platform.port), env=platform.env, log=tmp_path / "server.log", bugs=bugs)
        stack.enter_context(serving).start()
        platform.wait()
        platform.make_admin()
        yield Place(platform, Filler(disk), server)


@pytest.mark.slow
def test_a_full_disk_refuses_writes_and_heals_when_there_is_room(tmp_path):
    with place_on_small_disk(tmp_path) as place:
        fill_and_heal(place)


@pytest.mark.slow
def test_a_planted_bug_is_caught(tmp_path):
    with (
        place_on_small_disk(tmp_path, "acknowledged_before_committed") as place,
        pytest.raises(AssertionError, match="the disk was never full"),
    ):
        fill_and_heal(place, most=20)


def fill_and_heal(place: Place, most: int = MOST_BATCHES) -> None:
    """Fill the disk under a platform, look at what it says, and give the room back."""
    dice = random.Random(new_seed())
    assert place.platform.call("POST", "/api/equipment/", json={"name": ASSET, "key": ASSET}).status_code == 201
    sender = Sender(place.platform, clock.now() - timedelta(hours=12), dice)
    for _ in range(3):
        assert sender.send().status_code == 200
    place.filler.fill()
    refusal = next((answer for _ in range(most) if (answer := sender.send()).status_code != 200), None)
    print(f"refused after {sender.acknowledged} batches: {refusal}")
    assert refusal is not None, "the disk was never full"
    for answer in (refusal, sender.send(), sender.send()):
        assert answer.status_code in {503, 507}, answer.text
        assert int(answer.headers["Retry-After"]) > 0
    reading = place.platform.call("GET", f"/api/data/?equipment={ASSET}&page_size=5")
    assert reading.status_code == (200 if place.server is None or place.server.answers() else 503), reading.text
    place.filler.clear()
    place.restart_what_died()
    deadline = time.monotonic() + HEALS_WITHIN
    while sender.send().status_code != 200:
        assert time.monotonic() < deadline, "it does not heal"
        time.sleep(0.2)
    assert sorted(_numbers(place.platform)) == list(range(sender.acknowledged * AT_ONCE))


def _numbers(platform: Platform) -> list[int]:
    numbers, path = [], f"/api/data/?equipment={ASSET}&page_size=500"
    while path:
        page = platform.call("GET", path).json()
        numbers += [int(row["values"]["number"]) for row in page["results"]]
        path = (page["next"] or "").removeprefix(platform.url)
    return numbers
