"""Features of tumbling windows, which lie on multiples of their width since 1970 in UTC."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from techtrack.alerts.domain.features.base import (
    FOREVER,
    MOST_SUMMED,
    NEVER,
    SECOND,
    Bounds,
    Columns,
    Feature,
    Flags,
    Floats,
    Ints,
    Rows,
    Samples,
    floats,
    ints,
    shrunk,
)

STATISTICS = ("avg", "min", "max", "sum", "count", "range", "stddev", "first", "last", "delta")
# A line through fewer points would be drawn by their noise.
FEWEST_POINTS = 3
_EXTREMES = {"min", "max", "range"}
# What lies between the values of which it is made.
_BETWEEN = {"avg", "min", "max", "first", "last"}


@dataclass(frozen=True, slots=True)
class _Pane:
    """Windows with something in them; sums are of what lies above ``first``, so that large offsets cost no digits."""

    count: Ints
    first: Floats
    last: Floats
    low: Floats
    high: Floats
    sums: dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Windows(ABC):
    """Collects what falls into a window and tells it when the window is over: at its end."""

    of: Feature
    width: int

    @property
    def code(self) -> str:
        """The parameter below."""
        return self.of.code

    def blank(self, rows: int) -> Columns:
        """Remember the open window: its number, what is in it, and the last one that is closed."""
        whole = {name: np.full(rows, NEVER) for name in ("pane", "closed")} | {"count": np.zeros(rows, np.int64)}
        return whole | {name: np.zeros(rows) for name in ("first", "last", "low", "high", *self._sums())}

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Give a value for each window that something later has ended."""
        panes = samples.at // self.width
        early = panes <= ints(memory, "closed")[samples.rows]
        if early.any():
            samples, panes = samples.pick(~early), panes[~early]
        if not len(panes):
            return samples
        begins = samples.heads()
        begins[1:] |= panes[1:] != panes[:-1]
        starts = np.flatnonzero(begins)
        heads = samples.heads()[starts]
        rows, numbers = samples.rows[starts], panes[starts]
        goes_on = heads & (ints(memory, "pane")[rows] == numbers) & (ints(memory, "count")[rows] > 0)
        ended = self._left_open(memory, samples, rows, starts, heads & ~goes_on)
        pane = self._collect(memory, samples, starts, rows, goes_on)
        lasts = np.append(heads[1:], True)
        self._keep(memory, rows, numbers, pane, lasts)
        done = np.flatnonzero(~lasts)
        turns = samples.turns[starts[done + 1]]
        found = self._told(rows[done], turns, (numbers[done] + 1) * self.width, _taken(pane, done))
        return _merged(ended, found)

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Give nothing at all until the newest window is over; rows with an older one, or none, promise nothing."""
        pane, there = ints(memory, "pane"), ints(memory, "count") > 0
        if not there.any():
            return None
        last = int(pane[there].max())
        here, wide = there & (pane == last), np.full(len(pane), np.inf)
        return Bounds.where(here, -wide, wide, last * self.width, (last + 1) * self.width)

    def ends(self, memory: Columns) -> Ints:
        """Return of each row when its window is over although nothing came: one width after its end (µs)."""
        over = (ints(memory, "pane") + 2) * self.width
        return np.where(ints(memory, "count") > 0, over, FOREVER)

    @np.errstate(over="ignore", invalid="ignore")
    def close(self, memory: Columns, now: Ints) -> Samples:
        """Tell the windows that are over by ``now``."""
        pane, count = ints(memory, "pane"), ints(memory, "count")
        rows = np.flatnonzero(self.ends(memory) <= now)
        told = self._told(rows, np.zeros(len(rows), np.int64), (pane[rows] + 1) * self.width, _read(self, memory, rows))
        ints(memory, "closed")[rows] = pane[rows]
        count[rows] = 0
        return told

    def _left_open(self, memory: Columns, samples: Samples, rows: Rows, starts: Rows, which: Flags) -> Samples:
        """Tell the windows that were open before these samples and are over with them."""
        over = np.flatnonzero(which & (ints(memory, "count")[rows] > 0))
        ends = (ints(memory, "pane")[rows[over]] + 1) * self.width
        return self._told(rows[over], samples.turns[starts[over]], ends, _read(self, memory, rows[over]))

    def _collect(self, memory: Columns, samples: Samples, starts: Rows, rows: Rows, goes_on: Flags) -> _Pane:
        lengths = np.diff(np.append(starts, len(samples.rows)))
        group = np.repeat(np.arange(len(starts)), lengths)
        known = _read(self, memory, rows)
        first = np.where(goes_on, known.first, samples.values[starts])
        sums = {name: np.where(goes_on, column, 0.0) for name, column in known.sums.items()}
        seconds = (samples.at % self.width) / SECOND
        for name, term in self._terms(seconds, samples.values - first[group]).items():
            # One after the other, as they come: however many come at a time, the sum is the same to the bit.
            np.add.at(sums[name], group, term)
        low, high = known.low, known.high
        if self._extremes():
            low = np.minimum.reduceat(samples.values, starts)
            high = np.maximum.reduceat(samples.values, starts)
            low = np.where(goes_on, np.minimum(low, known.low), low)
            high = np.where(goes_on, np.maximum(high, known.high), high)
        count = np.where(goes_on, known.count, 0) + lengths
        return _Pane(count, first, samples.values[starts + lengths - 1], low, high, sums)

    def _keep(self, memory: Columns, rows: Rows, numbers: Ints, pane: _Pane, lasts: Flags) -> None:
        rows = rows[lasts]
        ints(memory, "pane")[rows], ints(memory, "count")[rows] = numbers[lasts], pane.count[lasts]
        for name in ("first", "last", "low", "high"):
            floats(memory, name)[rows] = getattr(pane, name)[lasts]
        for name, column in pane.sums.items():
            floats(memory, name)[rows] = column[lasts]

    def _told(self, rows: Rows, turns: Ints, ends: Ints, pane: _Pane) -> Samples:
        values, known = self._value(pane)
        return Samples(rows[known], turns[known], ends[known], values[known])

    # -- What differs ---------------------------------------------------------------------------------------------

    @abstractmethod
    def _sums(self) -> tuple[str, ...]:
        """Return the names of what is summed."""

    @abstractmethod
    def _terms(self, seconds: Floats, values: Floats) -> dict[str, Floats]:
        """Return what each sample adds to the sums; ``seconds`` since the window began, ``values`` above its first."""

    def _extremes(self) -> bool:
        return False

    @abstractmethod
    def _value(self, pane: _Pane) -> tuple[Floats, Flags]:
        """Return the value of each window, and whether it has one."""


@dataclass(frozen=True, slots=True)
class Window(Windows):
    """A statistic of each window of ``width`` µs that holds ``least`` samples or more."""

    statistic: str
    least: int = 1

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Stay between the values, however many windows end."""
        if self.statistic not in _BETWEEN or not (low <= high).any():
            return super(Window, self).calm(memory, low, high, newest)
        pane = _read(self, memory, slice(None))
        value = _STATISTIC[self.statistic](pane)
        sound = (pane.count > 0) & (pane.count < MOST_SUMMED) & (value >= low) & (value <= high)
        return Bounds.where(sound, *shrunk(low, high))

    def _sums(self) -> tuple[str, ...]:
        return {"avg": ("sum",), "sum": ("sum",), "stddev": ("sum", "squares")}.get(self.statistic, ())

    def _terms(self, seconds: Floats, values: Floats) -> dict[str, Floats]:
        terms = {"sum": values, "squares": values * values}
        return {name: terms[name] for name in self._sums()}

    def _extremes(self) -> bool:
        return self.statistic in _EXTREMES

    def _value(self, pane: _Pane) -> tuple[Floats, Flags]:
        return _STATISTIC[self.statistic](pane), pane.count >= self.least


@dataclass(frozen=True, slots=True)
class Forecast(Windows):
    """Where the straight line through a window (least squares) will be ``horizon`` µs after the window's end."""

    horizon: int

    def _sums(self) -> tuple[str, ...]:
        return ("x", "y", "xx", "xy")

    def _terms(self, seconds: Floats, values: Floats) -> dict[str, Floats]:
        return {"x": seconds, "y": values, "xx": seconds * seconds, "xy": seconds * values}

    def _value(self, pane: _Pane) -> tuple[Floats, Flags]:
        count, sums = np.maximum(pane.count, 1), pane.sums
        spread = sums["xx"] - sums["x"] * sums["x"] / count
        known = (pane.count >= FEWEST_POINTS) & (spread > 0)
        slope = (sums["xy"] - sums["x"] * sums["y"] / count) / np.where(known, spread, 1.0)
        ahead = (self.width + self.horizon) / SECOND - sums["x"] / count
        return pane.first + sums["y"] / count + slope * ahead, known


def _stddev(pane: _Pane) -> Floats:
    count = np.maximum(pane.count, 1)
    mean = pane.sums["sum"] / count
    spread: Floats = np.sqrt(np.maximum(pane.sums["squares"] / count - mean * mean, 0.0))
    return spread


_STATISTIC = {
    "avg": lambda pane: pane.first + pane.sums["sum"] / np.maximum(pane.count, 1),
    "sum": lambda pane: pane.first * pane.count + pane.sums["sum"],
    "count": lambda pane: pane.count.astype(np.float64),
    "min": lambda pane: pane.low,
    "max": lambda pane: pane.high,
    "range": lambda pane: pane.high - pane.low,
    "first": lambda pane: pane.first,
    "last": lambda pane: pane.last,
    "delta": lambda pane: pane.last - pane.first,
    "stddev": _stddev,
}


def _read(windows: Windows, memory: Columns, rows: Rows | slice) -> _Pane:
    first, last, low, high = (floats(memory, name)[rows] for name in ("first", "last", "low", "high"))
    sums = {name: floats(memory, name)[rows] for name in windows._sums()}  # noqa: SLF001 - of this file
    return _Pane(ints(memory, "count")[rows], first, last, low, high, sums)


def _taken(pane: _Pane, which: Rows) -> _Pane:
    sums = {name: column[which] for name, column in pane.sums.items()}
    low, high = pane.low[which], pane.high[which]
    return _Pane(pane.count[which], pane.first[which], pane.last[which], low, high, sums)


def _merged(first: Samples, second: Samples) -> Samples:
    """Put together what is sorted by row and time each."""
    if not len(first.rows) or not len(second.rows):
        return second if len(second.rows) else first
    both = Samples(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
    return both.pick(np.lexsort((both.at, both.rows)))
