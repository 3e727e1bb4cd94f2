"""Features of how a series moves: its rate, how long it is stuck, how long it was silent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from techtrack.alerts.domain.features.base import (
    FOREVER,
    MARGIN,
    NEVER,
    SECOND,
    Bounds,
    Columns,
    Feature,
    Flags,
    Floats,
    Ints,
    Samples,
    floats,
    ints,
    rounds,
    shrunk,
)

# How much of a new gap goes into the usual one: one in eight.
LEARNING = 0.125
# From so many samples of one row on, a plain loop is faster.
LONG = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """Change per ``per`` µs, against the sample before; or, ``over`` µs long, against the first of the stretch before.

    Stretches lie on multiples of ``over``, so a rate spans between one and two of them; where a stretch is empty
    there is none. A rate from sample to sample is mostly noise.
    """

    of: Feature
    over: int = 0
    per: int = SECOND

    @property
    def code(self) -> str:
        """The parameter below."""
        return self.of.code

    def blank(self, rows: int) -> Columns:
        """Remember the first sample of this stretch and of the one before; a stretch of 0 is each sample's own."""
        times = {name: np.full(rows, NEVER) for name in ("pane", "at", "before_pane", "before_at")}
        return times | {"value": np.zeros(rows), "before": np.zeros(rows)}

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Give the rate at each sample that has something to be compared with."""
        if not len(samples.rows):
            return samples
        heads = samples.heads()
        panes = samples.at // self.over if self.over else _numbered(memory, samples, heads)
        begins = heads.copy()
        begins[1:] |= panes[1:] != panes[:-1]
        starts = np.flatnonzero(begins)
        group = np.cumsum(begins) - 1
        rows, numbers, head = samples.rows[starts], panes[starts], heads[starts]
        known = {name: column[rows] for name, column in memory.items()}
        goes_on = head & (known["pane"] == numbers)
        first_at = np.where(goes_on, known["at"], samples.at[starts])
        first = np.where(goes_on, known["value"], samples.values[starts])
        before = {
            "before_pane": _before(goes_on, head, known["before_pane"], known["pane"], numbers),
            "before_at": _before(goes_on, head, known["before_at"], known["at"], first_at),
            "before": _before(goes_on, head, known["before"], known["value"], first),
        }
        lasts = np.append(head[1:], True)
        new = {"pane": numbers, "at": first_at, "value": first, **before}
        for name, column in new.items():
            memory[name][rows[lasts]] = column[lasts]
        comparable = ((before["before_pane"] == numbers - 1) & (before["before_at"] != NEVER))[group]
        passed = (samples.at - before["before_at"][group]) / self.per
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = (samples.values - before["before"][group]) / passed
        return samples._replace(values=rates).pick(comparable)

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Stay within in the newest stretch and in the next, both of which are held against what is known."""
        pane, at, older = ints(memory, "pane"), ints(memory, "at"), ints(memory, "before_at")
        last = int(pane.max())
        if not self.over or last == NEVER:
            return None
        here, middle, end = pane == last, (last + 1) * self.over, (last + 2) * self.over
        compared = here & (ints(memory, "before_pane") == last - 1) & (older != NEVER)
        wide = np.full(len(pane), np.inf)
        now = self._range(floats(memory, "before"), np.where(compared, at - older, 1), middle - older, low, high)
        then = self._range(floats(memory, "value"), np.where(here, middle - at, 1), end - at, low, high)
        least = np.maximum(np.where(compared, now[0], -wide), then[0])
        most = np.minimum(np.where(compared, now[1], wide), then[1])
        return Bounds.where(here, least, most, last * self.over, end)

    def _range(self, value: Floats, least: Ints, most: Ints, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return where values may lie ``least`` to ``most`` µs after ``value`` for the rate to be in a range."""
        low, high = shrunk(np.maximum(low * least, low * most), np.minimum(high * least, high * most))
        margin = MARGIN * np.abs(value)
        return value + low / self.per + margin, value + high / self.per - margin


def _numbered(memory: Columns, samples: Samples, heads: Flags) -> Ints:
    """Number the samples of each row on from the last one: each is a stretch of its own."""
    starts = np.flatnonzero(heads)
    lengths = np.diff(np.append(starts, len(heads)))
    last = ints(memory, "pane")[samples.rows[starts]]
    within = np.arange(len(heads)) - np.repeat(starts, lengths)
    numbers: Ints = np.repeat(last + 1, lengths) + within
    return numbers


def _before(goes_on: Flags, head: Flags, older: np.ndarray, last: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Return of each stretch what the one before it had: remembered, or the one to the left."""
    left = np.concatenate([mine[:1], mine[:-1]])
    return np.where(goes_on, older, np.where(head, last, left))


@dataclass(frozen=True, slots=True)
class Stuck:
    """For how many seconds the value has been within ``tolerance`` of where it was."""

    of: Feature
    tolerance: float = 0.0

    @property
    def code(self) -> str:
        """The parameter below."""
        return self.of.code

    def blank(self, rows: int) -> Columns:
        """Remember where the value came to rest, and when."""
        return {"since": np.full(rows, NEVER), "value": np.zeros(rows)}

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Give the seconds at each sample."""
        if not len(samples.rows):
            return samples
        heads = samples.heads()
        since, anchor = ints(memory, "since")[samples.rows], floats(memory, "value")[samples.rows]
        starts = self._moved(samples, heads, since, anchor)
        # The place where the rest began of which each sample is part.
        begin = np.maximum.accumulate(np.where(heads | starts, np.arange(len(heads)), 0))
        since = np.where(starts, samples.at, since)[begin]
        anchor = np.where(starts, samples.values, anchor)[begin]
        lasts = np.append(heads[1:], True)
        rows = samples.rows[lasts]
        ints(memory, "since")[rows], floats(memory, "value")[rows] = since[lasts], anchor[lasts]
        return samples._replace(values=(samples.at - since) / SECOND)

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Let time pass until the first row may have been stuck for too long."""
        since = ints(memory, "since")
        return _until(since, (low <= 0) & (since != NEVER), high, newest)

    def _moved(self, samples: Samples, heads: Flags, since: Ints, anchor: Floats) -> Flags:
        """Flag the samples that lie elsewhere than where the series rested, and so begin a new rest."""
        values = samples.values
        first = heads & (since == NEVER)
        if not self.tolerance:
            left = np.concatenate([values[:1], values[:-1]])
            left = np.where(heads, anchor, left)
            elsewhere: Flags = first | np.not_equal(left, values)
            return elsewhere
        moved: Flags = first.copy()
        where, tolerance = 0.0, self.tolerance
        told = zip(heads.tolist(), first.tolist(), anchor.tolist(), values.tolist(), strict=True)
        for place, (head, new, rested, value) in enumerate(told):
            if head:
                where = rested
            if new or not -tolerance <= value - where <= tolerance:
                moved[place] = True
                where = value
        return moved


@dataclass(frozen=True, slots=True)
class Gap:
    """By how many seconds the time before a sample was longer than allowed (below 0: it was not).

    Allowed are ``seconds``, or so many ``times`` what is usual for the series.
    """

    of: Feature
    seconds: float = 0.0
    times: float = 0.0

    @property
    def code(self) -> str:
        """The parameter below."""
        return self.of.code

    def blank(self, rows: int) -> Columns:
        """Remember the newest sample, and the usual gap (s)."""
        return {"at": np.full(rows, NEVER), "usual": np.zeros(rows)}

    def feed(self, memory: Columns, samples: Samples) -> Samples:
        """Give it at each sample but the first."""
        if not len(samples.rows):
            return samples
        heads = samples.heads()
        left = np.concatenate([samples.at[:1], samples.at[:-1]])
        before = np.where(heads, ints(memory, "at")[samples.rows], left)
        gaps, known = (samples.at - before) / SECOND, before != NEVER
        if self.times:
            allowed = self._learnt(memory, samples, gaps, known)
            known &= allowed > 0
        else:
            allowed = np.full(len(gaps), self.seconds)
        lasts = np.append(heads[1:], True)
        ints(memory, "at")[samples.rows[lasts]] = samples.at[lasts]
        # In whole µs, so that whoever takes it from the time of the sample finds when it lapsed, as a clock does.
        return samples._replace(values=(samples.at - before - _micros(allowed)) / SECOND).pick(known)

    def calm(self, memory: Columns, low: Floats, high: Floats, newest: int) -> Bounds | None:
        """Let time pass until the first row may have been silent for too long, if that is not learnt on the way."""
        if self.times:
            return None
        at = ints(memory, "at")
        return _until(at, (low <= -self.seconds) & (at != NEVER), high + self.seconds, newest)

    def lapses(self, memory: Columns) -> Ints:
        """Return of each row when it will have been silent for too long (µs); ``FOREVER`` where nobody can say."""
        at = ints(memory, "at")
        allowed = self.times * floats(memory, "usual") if self.times else np.full(len(at), self.seconds)
        return np.where((at == NEVER) | (allowed <= 0), FOREVER, at + _micros(allowed))

    def _learnt(self, memory: Columns, samples: Samples, gaps: Floats, known: Flags) -> Floats:
        """Return what was allowed before each sample, and learn from the gap."""
        usual, allowed = floats(memory, "usual"), np.zeros(len(gaps))
        if len(gaps) > LONG and samples.rows[0] == samples.rows[-1]:
            return self._learnt_alone(usual, int(samples.rows[0]), gaps, known)
        for some in rounds(samples):
            places = some[known[some]]
            rows, gap = samples.rows[places], gaps[places]
            was = usual[rows]
            allowed[places] = self.times * was
            # An outage teaches no more than a gap of twice the usual.
            usual[rows] = np.where(was > 0, was + (np.minimum(gap, 2 * was) - was) * LEARNING, gap)
        return allowed

    def _learnt_alone(self, usual: Floats, row: int, gaps: Floats, known: Flags) -> Floats:
        """Do the same for a long stretch of one row, where a plain loop is faster than a round for each sample."""
        was, before = float(usual[row]), list[float]()
        for gap in gaps[known].tolist():
            before.append(was)
            was = was + (min(gap, 2 * was) - was) * LEARNING if was > 0 else gap
        usual[row] = was
        allowed = np.zeros(len(gaps))
        allowed[known] = self.times * np.array(before)
        return allowed


def _micros(seconds: Floats) -> Ints:
    return np.rint(seconds * SECOND).astype(np.int64)


def _until(begun: Ints, which: Flags, seconds: Floats, newest: int) -> Bounds:
    """Promise that no row which has not done so already passes its time before the first of the others does."""
    # A day that is not in any calendar, rather than one beyond all numbers.
    ends = begun + _micros(np.clip(seconds, 0, FOREVER // SECOND))
    going_on = which & (ends > newest)
    wide = np.full(len(begun), np.inf)
    return Bounds.where(going_on, -wide, wide, until=int(ends[going_on].min(initial=FOREVER)))
