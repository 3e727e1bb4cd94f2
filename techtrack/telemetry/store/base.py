"""What the platform asks of the place where readings live; one contract test suite holds every store to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from techtrack.core.clock import from_micros
from techtrack.telemetry.domain.quality import Mark
from techtrack.telemetry.domain.reading import FOREVER, Batch, Ints, Kind, Origin, Readings
from techtrack.telemetry.domain.statistics import Statistics

Series = tuple[int, str]  # asset id, parameter code
Span = tuple[int, int]  # start <= time < end, µs


class LatestValue(NamedTuple):
    """The value of a series with the newest event time (µs)."""

    time: int
    value: float

    @property
    def at(self) -> datetime:
        """The time as a moment."""
        return from_micros(self.time)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One committed batch and its place in the order of commits; ``received`` (µs): when it was taken in."""

    position: int
    kind: Kind
    origin: Origin
    batch: Batch
    received: int = FOREVER[1]


class Packed(NamedTuple):
    """A batch as a store writes it: made beforehand, since others wait while a transaction writes."""

    batch: Batch
    payload: bytes


class Growth(NamedTuple):
    """The mark of a test that took ``position`` goes on up to the end of ``mark``, which begins where it grows.

    Of an asset that is gone none does.
    """

    mark: Mark
    position: int


class Store(Protocol):
    """Readings by asset, and the log of how they came. Writes run inside the caller's transaction."""

    def packed(self, batch: Batch) -> Packed:
        """Make ready what ``append`` takes; it needs no transaction and had better be in none."""

    def append(self, batch: Batch | Packed, *, kind: Kind, origin: Origin, now: datetime) -> int:
        """Write ``batch`` and return its position.

        Positions rise by commit: whoever sees position n sees every position below it.
        """

    def mark(self, marks: Sequence[Mark], *, grown: Sequence[Growth] = (), now: datetime) -> list[int]:
        """Lay ``marks`` over what is there and what will come late, and let others go on; return their positions.

        All of it is one entry of the log, and none where nothing changes: a mark grows and never shrinks, and of an
        asset that was forgotten there is none any more.
        """

    def forget(self, asset: int, *, now: datetime) -> int:
        """Make all of ``asset`` void for good, and what still arrives of it; returns the position of that."""

    def readings(
        self, assets: Iterable[int], *, span: Span = FOREVER, codes: Sequence[str] = ()
    ) -> dict[int, Readings]:
        """Return the readings of each asset in ``span`` with their marks; assets without any are absent.

        With ``codes`` the other parameters need not be there.
        """

    def latest(self, assets: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
        """Return per asset and parameter the value with the newest event time, whatever its quality."""

    def statistics(self, assets: Iterable[int], *, codes: Sequence[str], edges: Ints) -> dict[Series, Statistics]:
        """Return, of each series with a usable value, the statistics between each two neighbours of ``edges``.

        ``edges`` are ascending µs, one more than stretches; without ``codes`` all parameters are meant. Parts of
        directions (see domain/directions) are series only for who names them.
        Bad and missing values are left out.
        """

    def extent(self, assets: Iterable[int]) -> Span | None:
        """Return a span that holds all readings of the assets, None where there is none; its ends may be generous."""

    def head(self) -> int:
        """Return the position of the newest entry of the log, 0 before the first."""

    def log(self, *, after: int, limit: int) -> list[LogEntry]:
        """Return up to ``limit`` entries behind position ``after``, in order; old ones go when all have read them."""
