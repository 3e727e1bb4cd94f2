"""What a feature is: a series derived of the readings of one parameter, for many assets at once, in columns.

The live judge, the rule lab and replays all feed the same code. So that they find the same to the last bit however the
log is cut into pages, what is summed is summed sample by sample, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
# What a feature remembers of each row, by name.
Columns = dict[str, npt.NDArray[np.generic]]

SECOND = 1_000_000
# Before all times (µs), and far enough from the edge that a width can be taken from it.
NEVER = -(1 << 61)
FOREVER = 1 << 61
LARGEST = float(np.finfo(np.float64).max)
# By so much of itself a range is narrowed before anything is promised of it; up to so many values are summed in it.
MARGIN, MOST_SUMMED = 1e-9, 1_000_000


class Samples(NamedTuple):
    """Values of many series, sorted by row and then time; within a row each is later than the one before.

    ``turns`` are the positions of the entries of the log that brought them, ``at`` event times in µs.
    """

    rows: Rows
    turns: Ints
    at: Ints
    values: Floats

    def pick(self, which: Rows | Flags) -> Samples:
        """Return some of them, in the same order."""
        return Samples(self.rows[which], self.turns[which], self.at[which], self.values[which])

    def heads(self) -> Flags:
        """Flag the first sample of each row."""
        flags = np.ones(len(self.rows), bool)
        np.not_equal(self.rows[1:], self.rows[:-1], out=flags[1:])
        return flags


NOTHING = Samples(np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


class Bounds(NamedTuple):
    """Where readings may lie so that nothing comes of them: a closed range for each row, ``since`` <= time < ``until``.

    A row whose range is empty promises nothing.
    """

    low: Floats
    high: Floats
    since: int = NEVER
    until: int = FOREVER

    @classmethod
    def where(cls, rows: Flags, low: Floats, high: Floats, since: int = NEVER, until: int = FOREVER) -> Bounds:
        """Promise something for some rows, if their ranges have anything in them."""
        sound = rows & (low <= high)
        return cls(np.where(sound, low, np.inf), np.where(sound, high, -np.inf), since, until)

    def spans(self, first: int, last: int) -> bool:
        """Tell whether these times are all within."""
        return self.since <= first and last < self.until

    def outside(self, rows: Rows, values: Floats) -> Flags:
        """Flag the values that are beyond the range of their row; NaN, which is no reading, is not."""
        flags: Flags = (values < self.low.take(rows)) | (values > self.high.take(rows))
        return flags

    def void(self, rows: Rows | Flags) -> None:
        """Take back what was promised of rows."""
        self.low[rows], self.high[rows] = np.inf, -np.inf


def shrunk(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return ranges that are narrower by more than sums and quotients of what lies in them are ever rounded by."""
    inward, outward = 1 - MARGIN, 1 + MARGIN
    return low * np.where(low < 0, inward, outward), high * np.where(high > 0, inward, outward)


class Feature(Protocol):
    """A derived series. Two that are equal are one: rules that look at the same share what is remembered."""

    @property
    def code(self) -> str:
        """The parameter whose readings it is derived of."""

    @property
    def of(self) -> Feature | None:
        """What it is fed with; None for the readings themselves."""

    def blank(self, rows: int) -> Columns:
        """Return what is remembered of so many rows that have seen nothing."""

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Take samples of the feature it is derived of; return its own."""

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Return where what it is fed with may lie so that all it gives lies from ``low`` to ``high``, by row.

        The promise holds for any number of samples, each later than those before, until one lies elsewhere: so they
        may wait. ``newest`` (µs) has been fed already. None: it never promises anything.
        """


@dataclass(frozen=True, slots=True)
class Raw:
    """The readings of one parameter as they are."""

    code: str

    @property
    def of(self) -> None:
        """Nothing below."""

    def blank(self, rows: int) -> Columns:
        """Nothing to remember."""
        return {}

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Hand them on."""
        return samples

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds:
        """Promise what is asked."""
        return Bounds(low, high)


def finite(samples: Samples) -> Samples:
    """Return samples as they can be judged and told: what is beyond all numbers at their edge, what is none left out.

    Of readings near that edge a rate or a sum may lie beyond it, and no JSON has a word for that.
    """
    if np.isfinite(samples.values).all():
        return samples
    samples = samples.pick(~np.isnan(samples.values))
    return samples._replace(values=np.clip(samples.values, -LARGEST, LARGEST))


def chain(feature: Feature) -> list[Feature]:
    """Return what a feature is made of, the readings first and itself last."""
    links: list[Feature] = []
    link: Feature | None = feature
    while link is not None:
        links.append(link)
        link = link.of
    return links[::-1]


def rounds(samples: Samples) -> Iterator[Rows]:
    """Give the places of the first samples of all rows, then of the second ones, and so on.

    For what must go sample by sample within a row, but may take all rows together.
    """
    starts = np.flatnonzero(samples.heads())
    lengths = np.diff(np.append(starts, len(samples.rows)))
    turn = 0
    while len(starts):
        yield starts + turn
        turn += 1
        going_on = lengths > turn
        starts, lengths = starts[going_on], lengths[going_on]


def ints(memory: Columns, name: str) -> Ints:
    """Return a column of whole numbers."""
    column: Ints = memory[name]  # type: ignore[assignment]
    return column


def floats(memory: Columns, name: str) -> Floats:
    """Return a column of numbers."""
    column: Floats = memory[name]  # type: ignore[assignment]
    return column
