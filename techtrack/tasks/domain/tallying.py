"""Counts a meter day by day, so that its pace can be told; the name under which plans share a meter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from techtrack.tasks.domain.meters import Meter, Tally, count
from techtrack.tasks.domain.projection import WEEKS, Pace, daily_use, pace

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_DAY = 24 * 3_600_000_000
_EPOCH = date(1970, 1, 1)
# As many as the pace is told by, and the one before them.
MOST_DAYS = WEEKS * 7 + 2


def key_of(meter: Meter) -> str:
    """Return the definition of a meter as a text: the same for the same, and no other."""
    limits = (None if limit is None else float(limit) for limit in (meter.above, meter.most_per_day))
    return ":".join(map(str, (meter.kind, meter.parameter, *limits)))


@dataclass(frozen=True, slots=True)
class Record:
    """What a meter has counted, and the totals by the end of the last days (ISO dates, UTC)."""

    tally: Tally
    days: Mapping[str, float]

    def pace(self, *, now: datetime) -> Pace:
        """Return how much it counts a day; the day that still runs does not count."""
        totals = {date.fromisoformat(day): total for day, total in self.days.items()}
        return pace(daily_use(totals, last=now.date() - timedelta(days=1)))


def counted(meter: Meter, record: Record, *, times: Ints, values: Floats, longest: timedelta) -> Record:
    """Count readings (µs, ascending) on, each day for itself; a value holds no longer than ``longest``."""
    tally, days = record.tally, dict(record.days)
    for day, part in _by_day(times):
        tally = count(meter, tally=tally, times=times[part], values=values[part], holds=longest)
        days[day.isoformat()] = tally.total
    newest = sorted(days)[-MOST_DAYS:]
    return Record(tally, {day: days[day] for day in newest})


def _by_day(times: Ints) -> Iterator[tuple[date, slice]]:
    if not len(times):
        return
    days = times // _DAY
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1)).tolist()
    for start, end in pairwise([*starts, len(days)]):
        yield _EPOCH + timedelta(days=int(days[start])), slice(start, end)
