"""What every line is given: how much to measure, the systems that are there, a place to say what goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from benchmarks.load import ASSETS
from benchmarks.peers.series import InfluxDB, VictoriaMetrics
from benchmarks.peers.served import PlainRows, RowPerValue
from benchmarks.peers.tutorial import TutorialDRF
from benchmarks.postgres import Postgres
from benchmarks.system import NotInstalled, System
from benchmarks.techtrack import TechTrack

SQLITE, POSTGRES = "TechTrack, SQLite", "TechTrack, PostgreSQL"
OURS = (SQLITE, POSTGRES)
# The same in two processes behind one address; by the name of the one.
IN_TWO = {name: f"{name}, 2 processes" for name in OURS}
Start = Callable[[], System]


@dataclass(slots=True)
class Bench:
    """A run of the benchmarks."""

    quick: bool
    say: Callable[[str], None]
    only: tuple[str, ...] = ()
    most: int = 100
    missing: dict[str, str] = field(default_factory=dict)
    _postgres: Postgres | None = None

    @property
    def rounds(self) -> int:
        """How often each system is measured, in turn."""
        return 1 if self.quick else 3

    def pick(self, quick: float, full: float) -> float:
        """Return how much to do."""
        return quick if self.quick else full

    @property
    def postgres(self) -> Postgres:
        """The PostgreSQL server of this run.

        Raises:
            NotInstalled: there is none on this machine.
        """
        if self._postgres is None:
            self._postgres = Postgres()
        return self._postgres

    def starts(self, *names: str) -> dict[str, Start]:
        """Return how to start each of the systems that is on this machine; the others are noted in ``missing``."""
        known: dict[str, Start] = {
            SQLITE: TechTrack,
            POSTGRES: lambda: TechTrack(self.postgres),
            IN_TWO[SQLITE]: lambda: TechTrack(TECHTRACK_PROCESSES="2"),
            IN_TWO[POSTGRES]: lambda: TechTrack(self.postgres, TECHTRACK_PROCESSES="2"),
            VictoriaMetrics.name: partial(VictoriaMetrics, machines=ASSETS),
            InfluxDB.name: partial(InfluxDB, machines=ASSETS),
            TutorialDRF.name: lambda: TutorialDRF(self.postgres, machines=ASSETS),
            PlainRows.name: lambda: PlainRows(self.postgres, machines=ASSETS),
            RowPerValue.name: lambda: RowPerValue(self.postgres, machines=ASSETS),
        }
        found = {name: known[name] for name in names if not self.only or name in self.only}
        for name in list(found):
            try:
                self._look_for(name)
            except NotInstalled as error:
                self.missing[name] = str(error)
                del found[name]
        return found

    def _look_for(self, name: str) -> None:
        for peer in (VictoriaMetrics, InfluxDB):
            if name == peer.name and shutil.which(peer.program) is None:
                raise NotInstalled(f"{name}: not installed (apt-get install {peer.package})")
        if name in {POSTGRES, IN_TWO[POSTGRES], TutorialDRF.name, PlainRows.name, RowPerValue.name}:
            _ = self.postgres

    @contextmanager
    def running(self, start: Start) -> Iterator[System]:
        """Run a system for the length of a measurement."""
        system = start()
        try:
            yield system
        finally:
            system.stop()

    def close(self) -> None:
        """End what the lines share."""
        if self._postgres:
            self._postgres.stop()
            self._postgres = None
