"""Means of parts of an hour for the limits that look at those: read only where one could be above the limit.

Parts of hours are in no rollup, but the highest value of an hour is: where that is not above the limit, no mean is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from techtrack.airquality.hours import Floats, Hours, Ints
from techtrack.airquality.limits import Limit, LimitSet
from techtrack.airquality.units import Amount, factor
from techtrack.core.errors import Invalid
from techtrack.environment.domain.correcting import Air
from techtrack.environment.domain.pollutants import complete
from techtrack.environment.queries.air import HOUR, Stretch, paces_of
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.queries import Subject

# So many hours are read value by value, a batch at once; what is beyond is not known. At 1 Hz they are 1.7 million.
MOST_HOURS: Final = 480
BATCH: Final = 96
# A unit that sends every ten minutes by its own clock sends every ten and a bit.
SLACK: Final = 1.05


def with_short(air: Air, subject: Subject, *, limits: LimitSet) -> Air:
    """Add to hours of a sensor the means of those parts of an hour that a limit looks at.

    Of a sensor that sends too seldom for them none are added. Nor of one whose unit is not declared: to compare it will
    be refused.
    """
    hours = dict(air.hours)
    for limit in limits.limits:
        if limit.basis.parts > 1 and limit.parameter in hours:
            own = hours[limit.parameter]
            parts = _parts(subject, limit, own)
            if parts is not None:
                hours[limit.parameter] = replace(own, short={**own.short, limit.basis.parts: parts})
    return replace(air, hours=hours)


def _parts(subject: Subject, limit: Limit, hours: Hours) -> Floats | None:
    count, stretch = limit.basis.parts, Stretch(hours.first, len(hours.values))
    multiplier = _multiplier(limit, hours)
    if multiplier is None or not stretch.length:
        return None
    pace = paces_of([subject], (limit.parameter,), stretch).get((subject.id, limit.parameter))
    if pace is None or not (fine := (pace > 0) & (pace <= SLACK * HOUR / count) & ~np.isnan(hours.values)).any():
        return None
    edges = stretch.edges()
    highest = _highest(subject.id, limit.parameter, edges) * multiplier
    # The mean of an hour is no higher than its highest part, and like that not above the limit where no value is.
    parts = np.repeat(np.where(fine, hours.values, np.nan)[:, np.newaxis], count, axis=1)
    above = np.flatnonzero(fine & (highest > float(limit.value)))
    parts[above] = np.nan
    for places in _batches(above):
        parts[places] = _read(subject.id, limit.parameter, edges[places], pace[places], count)
    return parts


def _multiplier(limit: Limit, hours: Hours) -> float | None:
    try:
        return factor(limit.parameter, measured=Amount(hours.unit, hours.reference), wanted=limit.amount)
    except Invalid:
        # Whoever compares says what is missing.
        return None


def _highest(asset: int, code: str, edges: Ints) -> Floats:
    """Return what no value of each hour is above, from rollups; these are of UTC: an hour may lie across two."""
    shift = int(edges[0] % HOUR)
    full = np.append(edges - shift, edges[-1] - shift + HOUR)
    found = telemetry.highest([asset], codes=(code,), edges=full).get((asset, code))
    if found is None:
        return np.full(len(edges) - 1, np.nan)
    return np.fmax(found[:-1], found[1:]) if shift else found[:-1]


def _batches(places: Ints) -> Iterator[Ints]:
    most = places[:MOST_HOURS]
    return (most[begin : begin + BATCH] for begin in range(0, len(most), BATCH))


def _read(asset: int, code: str, starts: Ints, pace: Ints, count: int) -> Floats:
    """Return the means of the parts of the hours that begin at ``starts``; NaN where too little is known."""
    width = HOUR // count
    begins = starts[:, np.newaxis] + width * np.arange(count, dtype=np.int64)
    edges = np.unique(np.append(begins, begins[:, -1:] + width, axis=1))
    found = telemetry.means([asset], codes=(code,), edges=edges).get((asset, code))
    if found is None:
        return np.full(begins.shape, np.nan)
    places = np.searchsorted(edges, begins)
    return complete(found[0][places], found[1][places], expected=pace[:, np.newaxis], width=width)
