"""The watched series as columns: which assets, which rules, and which values can change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.condition import INFINITY

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
# A table by asset id is faster than a search, if the ids are not too far apart.
SPREAD = 8


class Panel:
    """Assets by ascending id; a *row* is a place in that order, one more row stands for all other assets.

    ``places`` are its rows among all assets.
    """

    def __init__(self, assets: Ints, places: npt.NDArray[np.intp] | None = None) -> None:
        self.assets = assets
        self.places = np.arange(len(assets)) if places is None else places
        self.others = len(assets)

    def __len__(self) -> int:
        return self.others

    def find(self, assets: Ints) -> npt.NDArray[np.intp]:
        """Return the row of each asset."""
        if not self.others:
            return np.zeros(len(assets), np.intp)
        if self._table is None:
            rows: npt.NDArray[np.intp] = np.minimum(np.searchsorted(self.assets, assets), self.others - 1)
            rows[self.assets[rows] != assets] = self.others
            return rows
        # What is below or above the table falls on its last entry, which stands for the others.
        places = np.minimum((assets - self.assets[0]).view(np.uint64), len(self._table) - 1)
        found: npt.NDArray[np.intp] = self._table.take(places.view(np.int64))
        return found

    def row(self, asset: int) -> int:
        """Return the row of one asset."""
        return self._rows.get(asset, self.others)

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {asset: row for row, asset in enumerate(self.assets.tolist())}

    @cached_property
    def _table(self) -> npt.NDArray[np.intp] | None:
        span = int(self.assets[-1] - self.assets[0]) + 1
        if span > SPREAD * self.others:
            return None
        table = np.full(span + 1, self.others, np.intp)
        table[self.assets - self.assets[0]] = np.arange(self.others)
        return table


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The series of one parameter: a row for each watched asset, and the last row for all others.

    ``rules[starts[row]:starts[row + 1]]`` are the rules of a row, as places in the book's list. Values from ``low``
    to ``high`` change nothing while all rules of the row are quiet.
    """

    panel: Panel
    starts: Ints
    rules: npt.NDArray[np.int32]
    low: Floats
    high: Floats

    def at(self, row: int) -> list[int]:
        """Return the places of the rules of a row, in the order of the book."""
        return self.rules[self.starts[row] : self.starts[row + 1]].tolist() if row < len(self.panel) else []


class Watched(NamedTuple):
    """A rule, by place, the rows it watches, and the closed range of values that leave it quiet."""

    place: int
    rows: Ints
    low: float
    high: float


def column(assets: Ints, watched: Sequence[Watched], panels: dict[bytes, Panel]) -> Column:
    """Build the column of one feature; rows of ``watched`` are places in ``assets``.

    Columns of the same assets share a panel in ``panels``, so that a batch is looked up only once.
    """
    sizes = [len(one.rows) for one in watched]
    rules = np.repeat(np.array([one.place for one in watched], np.int32), sizes)
    least, most = np.repeat([[one.low, one.high] for one in watched], sizes, axis=0).T
    rows = np.concatenate([one.rows for one in watched])
    order = np.argsort(rows, kind="stable")
    rules = rules[order]
    there, starts = np.unique(rows[order], return_index=True)
    ids = assets[there]
    panel = panels.setdefault(ids.tobytes(), Panel(ids, there))
    if not len(ids):
        return Column(panel, np.zeros(1, np.int64), rules, np.array([-INFINITY]), np.array([INFINITY]))
    low = np.append(np.maximum.reduceat(least[order], starts), -INFINITY)
    high = np.append(np.minimum.reduceat(most[order], starts), INFINITY)
    return Column(panel, np.append(starts, len(rules)).astype(np.int64), rules, low, high)
