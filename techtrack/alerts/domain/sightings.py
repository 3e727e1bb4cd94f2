"""When each asset was seen last, whether its clock is ahead, and whether the platform has been told.

Telling costs a row per asset, so an asset that is heard of all the time is told of every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.series import Ints, Panel
from techtrack.core.clock import to_micros

TOLD_EVERY = timedelta(seconds=5)
# So few are told of at once: whoever sends a reading by hand wants to see it.
FEW = 50
_NEVER = np.iinfo(np.int64).min // 2


class Sightings:
    """Newest event time (µs) per asset; assets that the panel does not know are told of at once."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._newest = np.full(len(panel) + 1, _NEVER)
        self._told = self._newest.copy()
        self._told_at = self._newest.copy()  # wall clock, µs
        self._strangers: dict[int, int] = {}
        self._ahead: dict[int, int] = {}
        self._telling: npt.NDArray[np.intp] = np.empty(0, np.intp)

    def move(self, panel: Panel) -> None:
        """Take the assets of a new rule book; what was not told yet stays so."""
        rows = self._panel.find(panel.assets)
        for column in (self._newest, self._told, self._told_at):
            # Nothing is kept of the row that stands for all others.
            column[-1] = _NEVER
        self._newest, self._told, self._told_at = (
            np.append(column[rows], _NEVER) for column in (self._newest, self._told, self._told_at)
        )
        self._panel = panel

    def note(self, assets: Ints, rows: npt.NDArray[np.intp], times: Ints) -> None:
        """Take readings in the order of time; ``rows`` are the places of ``assets`` in the panel."""
        # numpy assigns in order, so that of several readings of an asset the newest stays.
        self._newest[rows] = np.maximum(self._newest[rows], times)
        strange = rows == len(self._panel)
        if strange.any():
            for asset, time in zip(assets[strange].tolist(), times[strange].tolist(), strict=True):
                self.note_one(asset, time)

    def note_one(self, asset: int, time: int) -> None:
        """Take one reading."""
        row = self._panel.row(asset)
        if row == len(self._panel):
            self._strangers[asset] = max(time, self._strangers.get(asset, _NEVER))
        elif time > self._newest.item(row):
            self._newest[row] = time

    def note_clocks(self, assets: Ints, ahead: Mapping[int, int]) -> None:
        """Note by how much (µs) clocks are ahead, of assets whose readings came; others' are right."""
        if self._ahead:
            for asset in set(assets.tolist()) & self._ahead.keys():
                del self._ahead[asset]
        self._ahead |= ahead

    def ahead(self, assets: Iterable[int]) -> dict[int, int]:
        """Return by how much (µs) the clocks of these are ahead; only of those where one is."""
        return {asset: self._ahead[asset] for asset in assets if asset in self._ahead} if self._ahead else {}

    def due(self, now: datetime, *, every: timedelta = TOLD_EVERY) -> dict[int, int]:
        """Return what is to be told now: what was told ``every`` ago or never, and what is new if it is little."""
        news = np.flatnonzero(self._newest[:-1] > self._told[:-1])
        if len(news) > FEW:
            told_at = self._told_at[news]
            # Told in the future is: before the clock was set back.
            news = news[(told_at <= to_micros(now - every)) | (told_at > to_micros(now))]
        self._telling = news
        told = zip(self._panel.assets[news].tolist(), self._newest[news].tolist(), strict=True)
        return {**dict(told), **self._strangers}

    def settle(self, now: datetime) -> None:
        """Note that what was due has been told."""
        self._told[self._telling] = self._newest[self._telling]
        self._told_at[self._telling] = to_micros(now)
        self._strangers.clear()
