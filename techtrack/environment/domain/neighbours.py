"""Which sensors stand near each other, and whose hour is unlike that of those around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from techtrack.airquality.hours import Flags, Floats
from techtrack.airquality.quality import unlike_neighbours

WITHIN_KM: Final = 10.0
# So many neighbours must have a value.
LEAST: Final = 3
EARTH_KM: Final = 6371.0088
# Distances of so many sensors to all others are computed at once.
AT_ONCE: Final = 256


class Place(NamedTuple):
    """Where a sensor stands, in degrees, and whose it is."""

    latitude: float
    longitude: float
    site: int | None = None


def unlike(values: Floats, places: Sequence[Place]) -> Flags:
    """Tell of one value for each place (NaN where there is none) which are unlike those within ten kilometres.

    Those of other sites do not count. Only what is more than all neighbours by chance would be is doubted; ``LEAST`` of
    them must have a value.
    """
    found = np.zeros(len(values), bool)
    radians = np.radians([(one.latitude, one.longitude) for one in places]).reshape(-1, 2)
    sites = np.array([-1 if one.site is None else one.site for one in places], np.int64)
    known = np.flatnonzero(~np.isnan(values))
    for begin in range(0, len(known), AT_ONCE):
        some = known[begin : begin + AT_ONCE]
        near = _distances(radians[some], radians[known]) <= WITHIN_KM
        near &= (some[:, None] != known[None, :]) & (sites[some][:, None] == sites[known][None, :])
        neighbours = np.where(near, values[known][None, :], np.nan)
        found[some] = unlike_neighbours(values[some], neighbours, least=LEAST)
    return found


def _distances(some: Floats, others: Floats) -> Floats:
    """Return the distances along the surface (km), by the haversine."""
    apart = (some[:, None, :] - others[None, :, :]) / 2
    across = np.cos(some[:, 0])[:, None] * np.cos(others[:, 0])[None, :]
    part = np.sin(apart[..., 0]) ** 2 + across * np.sin(apart[..., 1]) ** 2
    distances: Floats = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(part, 0.0, 1.0)))
    return distances
