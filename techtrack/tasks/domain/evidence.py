"""Makes of what telemetry and the judge saw after a repair the looks by which it is proved or refuted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from techtrack.tasks.domain.proving import Look, Violation

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
# So long (µs of running) an alert of before may take to return: what was hot must cool down first.
SETTLING = 15 * 60_000_000


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert of the rule was active, start <= time < end (µs; None: it still is), for this reason."""

    alert: int
    start: int
    end: int | None
    violation: Violation

    def covers(self, times: Ints) -> Flags:
        """Tell at which of these times it was active."""
        return (times >= self.start) & (times < (self.end if self.end is not None else np.iinfo(np.int64).max))


@dataclass(frozen=True, slots=True)
class Sightings:
    """When the asset was seen (µs, ascending), whether it ran then, and which alerts were active, oldest first."""

    times: Ints
    running: Flags
    episodes: Sequence[Episode]


@dataclass(frozen=True, slots=True)
class Found:
    """The looks, and how long (µs) the asset ran while the alert of before was still active, all in all."""

    looks: list[Look]
    warned: int


def looks(seen: Sightings, *, since: int, warned: int, settling: int, longest_gap: int) -> Found:
    """Judge what was ``seen`` since the work was done.

    What an alert of before leaves behind proves nothing; once the asset ran for longer than ``settling`` with it, it
    speaks against the repair. So does every alert that came after ``since`` and is active while the asset runs.
    """
    before = [one for one in seen.episodes if one.start < since]
    after = [one for one in seen.episodes if one.start >= since]
    warned_ = _warned(seen, before, since=since, warned=warned, longest_gap=longest_gap)
    late = warned_ > settling
    found = []
    for place, (at, running) in enumerate(zip(seen.times.tolist(), seen.running.tolist(), strict=True)):
        against = _active(after, at) or (_active(before, at) if late[place] else None)
        waits = against is None and _active(before, at) is not None
        found.append(Look(at, running and not waits, against.violation if against else None))
    return Found(found, int(warned_[-1]) if len(warned_) else warned)


def _active(episodes: Sequence[Episode], at: int) -> Episode | None:
    for one in episodes:
        if one.start <= at and (one.end is None or at < one.end):
            return one
    return None


def _warned(seen: Sightings, before: Sequence[Episode], *, since: int, warned: int, longest_gap: int) -> Ints:
    """Return how long it had run with the alert of before by each time."""
    hot = np.zeros(len(seen.times), bool)
    for one in before:
        hot |= one.covers(seen.times)
    gaps = np.diff(seen.times, prepend=seen.times[:1])
    ran = hot & seen.running & np.concatenate([[False], (hot & seen.running)[:-1]])[: len(hot)]
    return warned + np.cumsum(np.where(ran & (gaps <= longest_gap) & (seen.times >= since), gaps, 0))
