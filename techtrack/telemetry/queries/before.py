"""The newest usable value of series before a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from techtrack.telemetry.store.base import Series
from techtrack.telemetry.store.database import store

HOUR = 3_600_000_000
FIRST_HOURS, GROWTH = 6, 8


def newest_before(
    asset_ids: Iterable[int], *, codes: Sequence[str], at: int, but: Collection[Series] = ()
) -> dict[Series, int]:
    """Return the time (µs) of the newest usable value before ``at`` of each series that has one, but for some.

    Without ``codes`` all parameters are meant. However long ago it is: it is looked for by what is rolled up, in
    stretches that grow.
    """
    ids = [asset for asset in asset_ids if not codes or any((asset, code) not in but for code in codes)]
    # Nobody has a value that is newer than its latest one: what lies between is passed over.
    missing = {
        (asset, code): newest.time
        for asset, values in (store.latest(ids) if ids else {}).items()
        for code, newest in values.items()
        if (not codes or code in codes) and (asset, code) not in but
    }
    extent = store.extent({asset for asset, _ in missing}) if missing else None
    found: dict[Series, int] = {}
    end, width = at, FIRST_HOURS * HOUR
    while missing and extent:
        end = min(end, max(missing.values()) + 1)
        start = max((end - width) // HOUR * HOUR, extent[0])
        if start >= end:
            break
        there = store.statistics({asset for asset, _ in missing}, codes=codes, edges=np.array([start, end]))
        for series in missing.keys() & there.keys():
            found[series] = int(there[series]["last_at"][0])
            del missing[series]
        end, width = start, width * GROWTH
    return found
