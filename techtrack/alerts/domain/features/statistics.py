"""Features against what a series used to be: deviation from a baseline, and the signals of a control chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from techtrack.alerts.domain.features.base import (
    NEVER,
    Bounds,
    Columns,
    Feature,
    Flags,
    Floats,
    Rows,
    Samples,
    floats,
    ints,
    rounds,
)

# Fewer samples say nothing of how a series spreads.
FEWEST_LEARNT = 10
# A series that never moved while it was learnt is given a spread that small, relative to its mean.
LEAST_SPREAD = 1e-9
# What is beyond is no measurement, and its square no number: nothing is learnt from it.
MOST_LEARNT = 1e140
# Mean moving range of two normal values, in standard deviations (d2 for n = 2 in tables of control charts).
D2 = 1.128
# From so many samples of one row on, it pays to lay them out at once.
LONG = 64


@dataclass(frozen=True, slots=True)
class Deviation:
    """How many standard deviations a value lies from the mean of the first ``learn`` µs; given ones are not learnt."""

    of: Feature
    learn: int
    mean: float | None = None
    stddev: float | None = None

    @property
    def code(self) -> str:
        """The parameter below."""
        return self.of.code

    def blank(self, rows: int) -> Columns:
        """Remember when learning began, and sums above the first value."""
        if self.mean is not None:
            return {}
        whole = {"begun": np.full(rows, NEVER), "count": np.zeros(rows, np.int64)}
        return whole | {name: np.zeros(rows) for name in ("first", "sum", "squares")}

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Give the deviation of what comes after the learning."""
        if self.mean is not None and self.stddev is not None:
            return samples._replace(values=(samples.values - self.mean) / self.stddev)
        if not len(samples.rows):
            return samples
        learning = self._learn(memory, samples)
        rest = samples.pick(~learning)
        count = ints(memory, "count")[rest.rows]
        mean, spread = _baseline(memory, rest.rows)
        return rest._replace(values=(rest.values - mean) / spread).pick(count >= FEWEST_LEARNT)

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Promise nothing."""

    def scale(self, memory: Columns, rows: Rows) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of rows, as far as they are learnt."""
        if self.mean is not None and self.stddev is not None:
            return np.full(len(rows), self.mean), np.full(len(rows), self.stddev)
        return _baseline(memory, rows)

    def _learn(self, memory: Columns, samples: Samples) -> Flags:
        begun, first = ints(memory, "begun"), floats(memory, "first")
        sane = _is_sane(samples.values)
        known = samples.pick(sane)
        new = known.heads() & (begun[known.rows] == NEVER)
        begun[known.rows[new]], first[known.rows[new]] = known.at[new], known.values[new]
        learning = samples.at < begun[samples.rows] + self.learn
        taught = learning & sane
        rows = samples.rows[taught]
        above = samples.values[taught] - first[rows]
        # One after the other, in order: the same to the bit however the log is cut.
        np.add.at(ints(memory, "count"), rows, 1)
        np.add.at(floats(memory, "sum"), rows, above)
        np.add.at(floats(memory, "squares"), rows, above * above)
        return learning


def _is_sane(values: Floats) -> Flags:
    sane: Flags = np.abs(values) <= MOST_LEARNT
    return sane


def _baseline(memory: Columns, rows: Rows) -> tuple[Floats, Floats]:
    count = np.maximum(ints(memory, "count")[rows], 1)
    above = floats(memory, "sum")[rows] / count
    mean = floats(memory, "first")[rows] + above
    spread = np.sqrt(np.maximum(floats(memory, "squares")[rows] / count - above * above, 0.0))
    return mean, np.maximum(spread, LEAST_SPREAD * np.maximum(np.abs(mean), 1.0))


@dataclass(frozen=True, slots=True)
class Signals:
    """Which of Nelson's eight rules a series breaks at a sample, as a sum of 2 ** (rule - 1).

    Mean and standard deviation are given, or learnt from the first ``learn`` samples (mean moving range / 1.128, as
    charts of individuals do). Rules: Lloyd S. Nelson, "The Shewhart Control Chart: Tests for Special Causes", Journal
    of Quality Technology 16 (4), 1984.
    """

    of: Feature
    rules: tuple[int, ...]
    learn: int
    mean: float | None = None
    stddev: float | None = None

    @property
    def code(self) -> str:
        """The parameter below."""
        return self.of.code

    def blank(self, rows: int) -> Columns:
        """Remember runs and the last few zones."""
        runs = ("side", "trend", "turns", "calm", "wild", "up2", "down2", "up1", "down1", "known")
        memory: Columns = {name: np.zeros(rows, np.int16) for name in runs}
        memory |= {name: np.zeros(rows) for name in ("last", "first", "sum", "ranges")}
        return memory | {"count": np.zeros(rows, np.int64)}

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Give the signals at each sample after the learning."""
        alone = len(samples.rows) > LONG and samples.rows[0] == samples.rows[-1]
        if alone and self._is_new(memory, samples.rows[0]) and _is_sane(samples.values[: self.learn]).all():
            return self._feed_alone(memory, samples)
        return self._feed(memory, samples)

    def _is_new(self, memory: Columns, row: int) -> bool:
        return not memory["known"][row] and not ints(memory, "count")[row]

    def _feed_alone(self, memory: Columns, samples: Samples) -> Samples:
        """Do the same for a long stretch of one row that has seen nothing, all samples behind the learning at once."""
        learning = 0 if self.mean is not None else self.learn
        learnt = self._feed(memory, samples.pick(np.arange(min(learning, len(samples.rows)))))
        rest = samples.pick(np.arange(learning, len(samples.rows)))
        if not len(rest.rows):
            return learnt
        row, values = rest.rows[:1], rest.values
        mean, spread = self.scale(memory, row)
        sigmas: Floats = (values - mean) / spread
        moved: Floats = np.sign(np.diff(values, prepend=values[:1]))
        far = np.abs(sigmas)
        runs = {
            "side": _runs(np.sign(sigmas)),
            "trend": _runs(moved),
            "turns": _all_turns(moved),
            "calm": _runs((far < 1).astype(np.float64)),
            "wild": _runs((far > 1).astype(np.float64)),
        }
        broken = _broken(
            far, runs, lambda zone, limit, last, least: _all_of_last(memory, row, zone, sigmas, limit, last, least)
        )
        for name, run in runs.items():
            memory[name][row] = np.clip(run[-1], -1000, 1000)
        floats(memory, "last")[row] = values[-1]
        memory["known"][row] = 1
        return rest._replace(values=self._summed(broken, len(values)))

    def _summed(self, broken: Mapping[int, Flags], count: int) -> Floats:
        signals = np.zeros(count)
        for rule in self.rules:
            signals += broken[rule] * float(1 << (rule - 1))
        return signals

    def _feed(self, memory: Columns, samples: Samples) -> Samples:
        signals, judged = np.zeros(len(samples.rows)), np.zeros(len(samples.rows), bool)
        for places in rounds(samples):
            rows, values = samples.rows[places], samples.values[places]
            ready = self._learnt(memory, rows, values)
            judged[places] = ready
            on = places[ready]
            signals[on] = self._look(memory, samples.rows[on], samples.values[on])
        return samples._replace(values=signals).pick(judged)

    def _learnt(self, memory: Columns, rows: Rows, values: Floats) -> Flags:
        """Learn from rows that have not seen enough; tell which have."""
        if self.mean is not None:
            return np.ones(len(rows), bool)
        count = ints(memory, "count")
        ready: Flags = count[rows] >= self.learn
        new = ~ready & _is_sane(values)
        fresh = new & (count[rows] == 0)
        first, last = floats(memory, "first"), floats(memory, "last")
        first[rows[fresh]] = last[rows[fresh]] = values[fresh]
        some = rows[new]
        floats(memory, "sum")[some] += values[new] - first[some]
        floats(memory, "ranges")[some] += np.abs(values[new] - last[some])
        last[some] = values[new]
        count[some] += 1
        return ready

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Promise nothing."""

    def scale(self, memory: Columns, rows: Rows) -> tuple[Floats, Floats]:
        """Return centre line and standard deviation of rows."""
        if self.mean is not None and self.stddev is not None:
            return np.full(len(rows), self.mean), np.full(len(rows), self.stddev)
        count = np.maximum(ints(memory, "count")[rows], 2)
        mean = floats(memory, "first")[rows] + floats(memory, "sum")[rows] / count
        spread = floats(memory, "ranges")[rows] / (count - 1) / D2
        return mean, np.maximum(spread, LEAST_SPREAD * np.maximum(np.abs(mean), 1.0))

    def _look(self, memory: Columns, rows: Rows, values: Floats) -> Floats:
        mean, spread = self.scale(memory, rows)
        sigmas = (values - mean) / spread
        moved = np.where(memory["known"][rows] == 1, np.sign(values - floats(memory, "last")[rows]), 0)
        far, sign = np.abs(sigmas), np.sign(sigmas)
        runs = {
            "side": _run(memory, "side", rows, sign),
            # Before the trend is counted on.
            "turns": _turns(memory, rows, moved),
            "trend": _run(memory, "trend", rows, moved),
            "calm": _run(memory, "calm", rows, (far < 1).astype(np.float64)),
            "wild": _run(memory, "wild", rows, (far > 1).astype(np.float64)),
        }
        broken = _broken(
            far, runs, lambda zone, limit, last, least: _of_last(memory, rows, zone, sigmas, limit, last, least)
        )
        floats(memory, "last")[rows] = values
        memory["known"][rows] = 1
        return self._summed(broken, len(rows))


def _broken(
    far: Floats, runs: Mapping[str, np.ndarray], of_last: Callable[[str, float, int, int], Flags]
) -> dict[int, Flags]:
    """Tell which rules are broken; ``far`` in sigmas, ``of_last`` tells where so many of the last points lie beyond."""
    return {
        1: far > 3,  # noqa: PLR2004 - sigmas, here and below: the rules are these numbers
        2: np.abs(runs["side"]) >= 9,  # noqa: PLR2004
        3: np.abs(runs["trend"]) >= 5,  # noqa: PLR2004 - five steps join six points
        4: runs["turns"] >= 14,  # noqa: PLR2004
        5: of_last("2", 2.0, 3, 2),
        6: of_last("1", 1.0, 5, 4),
        7: runs["calm"] >= 15,  # noqa: PLR2004
        8: runs["wild"] >= 8,  # noqa: PLR2004
    }


def _runs(sign: Floats) -> np.ndarray:
    """Count as ``_run`` does, from nothing, over all of one row."""
    here = np.arange(len(sign))
    begins = np.maximum.accumulate(np.where(np.diff(sign, prepend=np.nan) != 0, here, 0))
    return ((here - begins + 1) * sign).astype(np.int64)


def _all_turns(moved: Floats) -> np.ndarray:
    """Count as ``_turns`` does, from nothing, over all of one row."""
    here = np.arange(len(moved))
    before = np.concatenate([np.zeros(1), moved[:-1]])
    turned = (moved != 0) & (before == -moved)
    begins = np.maximum.accumulate(np.where(turned, 0, here))
    return np.where(moved == 0, 0, here - begins + 2)


def _all_of_last(  # noqa: PLR0913, PLR0917 - as ``_of_last``
    memory: Columns, row: Rows, zone: str, sigmas: Floats, limit: float, last: int, least: int
) -> Flags:
    """Tell as ``_of_last`` does, from nothing, over all of one row; remember the last points."""
    broken = np.zeros(len(sigmas), bool)
    for name, beyond in ((f"up{zone}", sigmas > limit), (f"down{zone}", sigmas < -limit)):
        sums = np.concatenate([np.zeros(last, np.int64), np.cumsum(beyond)])
        broken |= sums[last:] - sums[:-last] >= least
        memory[name][row] = sum(int(flag) << place for place, flag in enumerate(beyond[: -last - 1 : -1].tolist()))
    return broken


def _run(memory: Columns, name: str, rows: Rows, sign: Floats) -> np.ndarray:
    """Count on while the sign stays; 0 ends a run. The count carries the sign."""
    was = memory[name][rows].astype(np.int64)
    now = np.where(sign == 0, 0, np.where(np.sign(was) == sign, was + sign, sign)).astype(np.int64)
    memory[name][rows] = np.clip(now, -1000, 1000)
    return now


def _turns(memory: Columns, rows: Rows, moved: Floats) -> np.ndarray:
    """Count the points that go up and down in turns, before the trend is counted on."""
    was, trend = memory["turns"][rows].astype(np.int64), np.sign(memory["trend"][rows].astype(np.int64))
    turned = (moved != 0) & (trend == -moved)
    # A single step joins two points.
    now = np.where(moved == 0, 0, np.where(turned, was + 1, 2))
    memory["turns"][rows] = np.clip(now, 0, 1000)
    return now


def _of_last(  # noqa: PLR0913, PLR0917 - a rule of this kind is these numbers
    memory: Columns, rows: Rows, zone: str, sigmas: Floats, limit: float, last: int, least: int
) -> Flags:
    """Tell where ``least`` of the ``last`` points lie beyond ``limit`` sigmas on one side."""
    broken = np.zeros(len(rows), bool)
    for name, beyond in ((f"up{zone}", sigmas > limit), (f"down{zone}", sigmas < -limit)):
        bits = ((memory[name][rows].astype(np.int64) << 1) | beyond) & ((1 << last) - 1)
        memory[name][rows] = bits
        count = sum((bits >> bit) & 1 for bit in range(last))
        broken |= count >= least
    return broken
