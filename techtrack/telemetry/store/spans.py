"""Stretches of time as columns, so that what a mark of ten years touches costs no more than what it touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.domain.reading import Ints
from techtrack.telemetry.store.base import Span

HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches, start <= time < end (µs): ascending, and none touches the next."""

    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Spans:
        """Join stretches that may overlap, in any order."""
        pairs = np.array([span for span in spans if span[0] < span[1]], np.int64).reshape(-1, 2)
        if len(pairs) <= 1:
            return cls(pairs[:, 0], pairs[:, 1])
        pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
        ends = np.maximum.accumulate(pairs[:, 1])
        first = np.flatnonzero(np.concatenate([[True], pairs[1:, 0] > ends[:-1]]))
        return cls(pairs[first, 0], ends[np.append(first[1:], len(ends)) - 1])

    @classmethod
    def of_hours(cls, hours: Ints) -> Spans:
        """Join ascending hours since 1970, each once."""
        first = np.flatnonzero(np.diff(hours, prepend=hours[:1] - 2) > 1)
        last = np.append(first[1:], len(hours)) - 1
        return cls(hours[first] * HOUR, (hours[last] + 1) * HOUR) if len(hours) else NONE

    def __len__(self) -> int:
        return len(self.starts)

    def __or__(self, other: Spans) -> Spans:
        return Spans.of([*self.each(), *other.each()]) if len(self) and len(other) else self if len(self) else other

    def each(self) -> Iterable[Span]:
        """Give them one by one."""
        return zip(self.starts.tolist(), self.ends.tolist(), strict=True)

    def touch(self, starts: Ints, ends: Ints) -> npt.NDArray[np.bool_]:
        """Tell of each of other stretches (starts, ends) whether any of these overlaps it."""
        before_end = np.searchsorted(self.starts, ends, "left")
        return before_end > np.searchsorted(self.ends, starts, "right")

    def touch_hours(self, hours: Ints) -> npt.NDArray[np.bool_]:
        """Tell the same of hours since 1970."""
        return self.touch(hours * HOUR, (hours + 1) * HOUR)

    def within(self, others: Spans) -> Spans:
        """Give what lies in others too."""
        first = np.searchsorted(self.ends, others.starts, "right")
        counts = np.maximum(np.searchsorted(self.starts, others.ends, "left") - first, 0)
        theirs = np.repeat(np.arange(len(others)), counts)
        mine = np.arange(len(theirs)) - np.repeat(np.cumsum(counts) - counts, counts) + first[theirs]
        starts, ends = self.starts[mine], self.ends[mine]
        return Spans(np.maximum(starts, others.starts[theirs]), np.minimum(ends, others.ends[theirs]))


NONE = Spans(np.empty(0, np.int64), np.empty(0, np.int64))
