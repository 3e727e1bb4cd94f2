"""What the platform asks of the place where readings live; one contract test suite holds every store to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Readings


class LatestValue(NamedTuple):
    """The value of a series with the newest event time."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One committed batch and its place in the order of commits."""

    position: int
    kind: Kind
    origin: Origin
    batch: Batch


class Store(Protocol):
    """Readings by asset, and the log of how they came."""

    def append(self, batch: Batch, *, kind: Kind, origin: Origin, now: datetime) -> int:
        """Write ``batch`` inside the caller's transaction and return its position.

        Positions rise by commit: whoever sees position n sees every position below it.
        """

    def readings(self, assets: Iterable[int]) -> dict[int, Readings]:
        """Return all that is known of each asset; assets without readings are absent."""

    def latest(self, assets: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
        """Return per asset and parameter the value with the newest event time."""

    def forget(self, asset: int) -> None:
        """Remove every reading of ``asset`` for good, inside the caller's transaction."""

    def head(self) -> int:
        """Return the position of the newest entry of the log, 0 before the first."""

    def log(self, *, after: int, limit: int) -> list[LogEntry]:
        """Return up to ``limit`` entries behind position ``after``, in order."""
