"""Clocks of devices that are ahead: what they send is judged as of when it came, or it would blind its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from techtrack.alerts.domain.features.base import NEVER, SECOND
from techtrack.telemetry.domain.reading import Batch
from techtrack.telemetry.store.base import LogEntry

# Clocks differ, and a door takes the time before it reads what is sent.
LEEWAY = 300 * SECOND
_NOBODY: Mapping[int, int] = {}


def set_right(entry: LogEntry) -> tuple[LogEntry, Mapping[int, int]]:
    """Return an entry as it would be if all clocks were right, and by how much (µs) those of assets are ahead.

    Whatever an asset sends beside a reading of more than ``LEEWAY`` after it came is moved by as much, so that the
    newest came when it was read: order and distances stay. It takes nothing but the log, so replays find the same.
    """
    batch, latest = entry.batch, entry.received + LEEWAY
    if not len(batch) or int(batch.times.max()) <= latest:
        return entry, _NOBODY
    assets, which = np.unique(batch.assets, return_inverse=True)
    newest = np.full(len(assets), NEVER)
    np.maximum.at(newest, which, batch.times)
    ahead = np.where(newest > latest, newest - entry.received, 0)
    told = {asset: by for asset, by in zip(assets.tolist(), ahead.tolist(), strict=True) if by}
    return replace(entry, batch=Batch(batch.assets, batch.times - ahead[which], batch.values)), told
