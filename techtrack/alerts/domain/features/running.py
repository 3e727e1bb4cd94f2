"""A feature of the latest hours together: what an air-quality standard looks up, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from techtrack.airquality import nowcast
from techtrack.airquality.hours import LARGEST, MILLION, MISSING
from techtrack.airquality.tables import Rounding
from techtrack.alerts.domain.features.base import NEVER, Bounds, Columns, Flags, Floats, Ints, Samples, ints
from techtrack.alerts.domain.features.windows import Window


class Period(Protocol):
    """What is made of the latest ``hours`` stretches; periods of ``techtrack.airquality`` are such."""

    @property
    def hours(self) -> int:
        """How many it looks at."""

    def fast(self, whole: Ints) -> Ints:
        """Return what is made of those up to each, in whole millionths; MISSING where too few are known."""


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The NowCast of ozone. A fortnight of zeros makes 4.5 ppb here instead of none: an index of 4, not of 0."""

    hours: int = nowcast.RECENT

    def fast(self, whole: Ints) -> Ints:
        """Return it for each hour."""
        return nowcast.surrogate_series(whole)


@dataclass(frozen=True, slots=True)
class Highest:
    """The highest of the latest stretches that are known, such as the quarters of an hour."""

    hours: int

    def fast(self, whole: Ints) -> Ints:
        """Return it for each stretch; what is missing is less than anything."""
        padded = np.concatenate([np.full(self.hours - 1, MISSING), whole])
        highest: Ints = np.lib.stride_tricks.sliding_window_view(padded, self.hours).max(axis=1)
        return highest


@dataclass(frozen=True, slots=True)
class Running:
    """What a ``period`` makes of the latest windows, at the end of each; rounded as a standard rounds it.

    Windows times ``multiplier`` are in the standard's unit; what is given is in that of the readings again. Amounts
    below zero count as none.
    """

    of: Window
    period: Period
    rounding: Rounding
    multiplier: float = 1.0

    @property
    def code(self) -> str:
        """The parameter below."""
        return self.of.code

    def blank(self, rows: int) -> Columns:
        """Remember the number of the newest window, and by their age the latest ones, in whole millionths."""
        ages = {str(age): np.full(rows, MISSING) for age in range(self.period.hours)}
        return {"pane": np.full(rows, NEVER)} | ages

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Give what the windows up to each amount to, where enough of them are known."""
        if not len(samples.rows):
            return samples
        count, heads = self.period.hours, samples.heads()
        table = self._latest(memory, samples, heads)
        # Laid end to end: of each row's last window, what is looked back at is that row.
        means = self.period.fast(table.ravel())[count - 1 :: count]
        lasts = np.append(heads[1:], True)
        rows = samples.rows[lasts]
        ints(memory, "pane")[rows] = samples.at[lasts] // self.of.width
        for age in range(count):
            ints(memory, str(age))[rows] = table[lasts, count - 1 - age]
        amounts = self.rounding.fast(np.maximum(means, 0))
        return samples._replace(values=amounts / MILLION / self.multiplier).pick(means != MISSING)

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Promise nothing."""

    def _latest(self, memory: Columns, samples: Samples, heads: Flags) -> Ints:
        """Return of each sample the windows up to its own, the oldest first; MISSING where there was none."""
        ages, rows = np.arange(self.period.hours), samples.rows[heads]
        held = np.stack([ints(memory, str(age))[rows] for age in ages], axis=1)
        panes, held_panes = samples.at // self.of.width, ints(memory, "pane")[rows][:, None] - ages
        there = held != MISSING
        # One number for row and window, so that all are found at once: rows lie too far apart to reach one another.
        first = min(int(panes.min()), int(held_panes[there].min(initial=int(panes.min()))))
        apart = int(panes.max()) - first + len(ages)
        keys = (np.cumsum(heads) - 1) * apart + panes - first
        held_keys = np.arange(len(rows))[:, None] * apart + held_panes - first
        known_keys = np.concatenate([held_keys[there], keys])
        order = np.argsort(known_keys, kind="stable")
        known_keys, known = known_keys[order], np.concatenate([held[there], self._micros(samples.values)])[order]
        wanted = keys[:, None] - ages[::-1]
        places = np.searchsorted(known_keys, wanted)
        return np.where(known_keys[places] == wanted, known[places], MISSING)

    def _micros(self, values: Floats) -> Ints:
        """Return windows as whole millionths; one that no air could hold is no mean of anything."""
        amounts = values * self.multiplier
        sane = np.abs(amounts) <= LARGEST
        return np.where(sane, np.rint(np.where(sane, amounts, 0.0) * MILLION), MISSING).astype(np.int64)
