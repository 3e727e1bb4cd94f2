"""Cutting the power at any moment loses nothing acknowledged; with weaker settings the same test finds losses."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import servers
from tests.campaigns.crew import Crew
from tests.campaigns.disks import CuttableDisk, cuttable_disk
from tests.campaigns.postgres import Server
from tests.campaigns.scale import new_seed, scale

# One after the other: each needs the machine for itself more than most tests do.
pytestmark = pytest.mark.xdist_group("campaigns")
CUTS = 6
WRITERS = 2
# What SQLite and PostgreSQL may be told to promise, and what then happens to acknowledged operations.
SAFE = {"sqlite": "", "postgres": "on"}
UNSAFE = {"sqlite": "NORMAL", "postgres": "off"}


class OnSqlite:
    """The database as one file on the disk."""

    def __init__(self, disk: CuttableDisk, folder: Path, promise: str) -> None:
        self.options = ["--synchronous", promise] if promise else []
        self.url = _sqlite(disk.place)

    @contextmanager
    def recovered(self, place: Path) -> Iterator[str]:
        """Give the address of what a power cut left."""
        yield _sqlite(place)

    def stop(self) -> None:
        """End what runs."""


class OnPostgres:
    """The database of a server of our own, all of whose files are on the disk."""

    def __init__(self, disk: CuttableDisk, folder: Path, promise: str) -> None:
        self.options: list[str] = []
        self._sockets = folder / "sockets"
        self._server = Server(disk.place / "pg", sockets=self._sockets, synchronous_commit=promise)
        self._server.create()
        self.url = self._server.start()

    @contextmanager
    def recovered(self, place: Path) -> Iterator[str]:
        """Start a server on what a power cut left, and let it recover."""
        server = Server(place / "pg", sockets=self._sockets.with_name("recovered"))
        try:
            yield server.start()
        finally:
            server.stop()

    def stop(self) -> None:
        """End the server."""
        self._server.stop()


def _sqlite(place: Path) -> str:
    return f"sqlite:///{place / 'techtrack.sqlite3'}"


def losses_of(folder: Path, promise: str, seed: int, cuts: int) -> tuple[int, list[str]]:
    """Cut the power so often; return the cuts after which something was wrong, and what."""
    dice, bad, told = random.Random(seed), 0, []
    with cuttable_disk(folder) as disk:
        database = (OnPostgres if servers.on_postgres() else OnSqlite)(disk, folder, promise)
        try:
            with Crew(folder / "crew", database=database.url, seed=seed) as crew:
                crew.start({"write": WRITERS, "compact": 1}, *database.options)
                crew.wait_for_acks(3)
                taken = []
                for _ in range(cuts):
                    time.sleep(dice.uniform(0.05, 0.4))
                    promised = crew.acknowledged()
                    taken.append((promised, disk.cut()))
                assert crew.stop() == []
                inspector = crew.inspector()
                for promised, image in taken:
                    with disk.found(image, folder / "found"), database.recovered(folder / "found") as url:
                        faults = inspector.faults(url, promised)
                        inspector.leave()
                    print(f"acknowledged {promised}: {len(faults)} faults")
                    bad += bool(faults)
                    told += faults
        finally:
            database.stop()
    return bad, told


@pytest.fixture
def database() -> str:
    return "postgres" if servers.on_postgres() else "sqlite"


def test_no_power_cut_loses_what_was_acknowledged(tmp_path, database):
    seed = new_seed()
    bad, told = losses_of(tmp_path, SAFE[database], seed, CUTS * scale())
    assert (bad, told) == (0, []), f"TECHTRACK_SEED={seed}"


def test_weaker_promises_lose_and_are_caught(tmp_path, database):
    """The planted bug: else the test above proves nothing."""
    seed = new_seed()
    bad, told = losses_of(tmp_path, UNSAFE[database], seed, CUTS)
    assert bad >= CUTS // 2, f"TECHTRACK_SEED={seed}"
    assert any("acknowledged operations are lost" in fault for fault in told)
