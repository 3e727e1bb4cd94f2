"""How a recording lies over the plant's time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from techtrack.core.clock import to_micros
from techtrack.demo.clock import Loop
from techtrack.demo.recordings import Recording


@dataclass(frozen=True, slots=True)
class Feed:
    """How an asset's recording lies over plant time: ``anchor`` (recorded) is at the story's start plus ``shift``.

    ``history`` is how much of it lies before the start, None for all there is. ``in_season`` recordings keep their day
    and time of the year; of their anchor only the year counts.
    """

    recording: Recording
    anchor: datetime
    pace: float = 1.0
    shift: timedelta = timedelta(0)
    history: timedelta | None = None
    in_season: bool = False

    def loop(self, start: datetime) -> Loop:
        """Lay it over plant time; the story begins at ``start``."""
        anchor = start.replace(year=self.anchor.year) if self.in_season else self.anchor
        shift = self.shift // timedelta(microseconds=1)
        return Loop.of(self.recording.times, anchor=to_micros(anchor), pace=self.pace, shift=shift)

    def begins(self, loop: Loop) -> int:
        """Return how far, in µs before the start, its history reaches (a negative number)."""
        return int(loop.times[0]) if self.history is None else -(self.history // timedelta(microseconds=1))
