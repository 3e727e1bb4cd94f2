"""How an alarm system does, measured from what its alerts went through (ISA-18.2 / IEC 62682, EEMUA 191).

An *annunciation* is what an operator was to notice: a raise of an alert that was not hidden, or a hidden one that is
shown again while it waits for somebody. An *identity* is what a rule watches: rule, asset and parameter. Rates are
counted in regular ten minutes of the clock (UTC), as ISA-18.2 does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.condition import SEVERITIES

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
SECOND = 1_000_000
TEN_MINUTES = 600 * SECOND
# ISA-18.2: a flood begins with ten minutes of more than 10 annunciations and ends with ten minutes of less than 5.
FLOOD_ABOVE, FLOOD_BELOW = 10, 5
CHATTERING_RAISES, CHATTERING_WITHIN = 3, 60 * SECOND
FLEETING_BELOW = 60 * SECOND
STALE_ABOVE = 24 * 3600 * SECOND
TOP = 10
# EEMUA 191 and ISA-18.2 know three priorities; five severities make them up.
PRIORITIES = {"high": ("critical", "high"), "medium": ("medium",), "low": ("low", "info")}
PRIORITY_TARGETS = {"high": 0.05, "medium": 0.15, "low": 0.80}
# The least number of annunciations of each class of the distribution.
CLASSES = (0, 1, 2, 3, 6, 11, 21, 51, 101)


class Kind(IntEnum):
    """What the measures look at, of all that happens to alerts."""

    RAISED = 0
    RETURNED = 1
    ACKNOWLEDGED = 2
    UNCOVERED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Happenings:
    """One entry an event, in the order in which they were recorded; times in µs.

    ``times`` are event times, ``recorded`` wall times. ``identities`` count from 0. ``severities`` are ranks.
    ``hidden``: raised while nobody was to see it. Raises before the span are those of alerts active when it begins.
    """

    times: Ints
    recorded: Ints
    kinds: Ints
    alerts: Ints
    identities: Ints
    severities: Ints
    hidden: Flags

    def __len__(self) -> int:
        return len(self.times)

    def only(self, chosen: Flags | Ints) -> Happenings:
        """Return some of them, or all in another order."""
        return Happenings(*(getattr(self, name)[chosen] for name in self.__slots__))


class Flood(NamedTuple):
    """More than an operator can handle, from ``start`` to ``end`` (µs); ``first`` is the identity that began it."""

    start: int
    end: int
    annunciations: int
    peak: int
    first: int


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """How long alerts were active: one entry for each raise, ``ends`` is the end of the span where it was no end."""

    starts: Ints
    ends: Ints
    alerts: Ints
    identities: Ints
    returned: Flags

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Ints:
        """µs."""
        return self.ends - self.starts

    def only(self, chosen: Flags | Ints) -> Stretches:
        """Return some of them, or all in another order."""
        return Stretches(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True)
class Measures:
    """All that is measured from ``events`` in ``span`` (start <= time < end, µs)."""

    events: Happenings
    span: tuple[int, int]

    @cached_property
    def raised(self) -> Happenings:
        """Every raise in the span, hidden or not, in the order of time."""
        events = self.events
        found = events.only((events.kinds == Kind.RAISED) & (events.times >= self.span[0]))
        return found.only(np.argsort(found.times, kind="stable"))

    @cached_property
    def annunciations(self) -> Happenings:
        """What an operator was to notice, in the order of time."""
        found = self.events.only(self._told)
        return found.only(np.argsort(found.times, kind="stable"))

    @property
    def _told(self) -> Flags:
        events = self.events
        shown: Flags = (events.kinds == Kind.RAISED) & ~events.hidden | (events.kinds == Kind.UNCOVERED)
        return np.logical_and(shown, events.times >= self.span[0])

    # -- Rates ------------------------------------------------------------------------------------------------

    @cached_property
    def slots(self) -> Ints:
        """How many annunciations came in each ten minutes; the first and the last lie partly outside the span."""
        first, last = self.first_slot, -(-self.span[1] // TEN_MINUTES)
        places = self.annunciations.times // TEN_MINUTES - first
        return np.bincount(places, minlength=last - first)

    @property
    def first_slot(self) -> int:
        """The number of the first ten minutes, since 1970."""
        return self.span[0] // TEN_MINUTES

    @property
    def average(self) -> float:
        """Annunciations in ten minutes."""
        return len(self.annunciations) * TEN_MINUTES / (self.span[1] - self.span[0])

    def distribution(self) -> list[tuple[int, int | None, int]]:
        """Return (least, most, number of ten minutes that had so many); ``most`` is None where nothing bounds it."""
        bounds = np.array([*CLASSES, np.iinfo(np.int64).max])
        counts = np.histogram(self.slots, bounds)[0].tolist()
        most = [*(bound - 1 for bound in CLASSES[1:]), None]
        return list(zip(CLASSES, most, counts, strict=True))

    def timeline(self, points: int) -> tuple[int, Ints, Ints]:
        """Return (ten minutes in each entry, annunciations, most in ten minutes) in ``points`` entries at most."""
        together = -(-len(self.slots) // points)
        padded = np.append(self.slots, np.zeros(-len(self.slots) % together, np.int64)).reshape(-1, together)
        return together, padded.sum(axis=1), padded.max(axis=1)

    @cached_property
    def floods(self) -> list[Flood]:
        """The floods, in the order of time."""
        bounds: list[tuple[int, int]] = []
        above = np.flatnonzero(self.slots > FLOOD_ABOVE)
        below = np.flatnonzero(self.slots < FLOOD_BELOW)
        start = 0
        while (place := int(np.searchsorted(above, start))) < len(above):
            begin = int(above[place])
            ends = int(np.searchsorted(below, begin))
            start = int(below[ends]) if ends < len(below) else len(self.slots)
            bounds.append((begin, start))
        return [self._flood(begin, end) for begin, end in bounds]

    def _flood(self, begin: int, end: int) -> Flood:
        counts = self.slots[begin:end]
        start, stop = ((self.first_slot + slot) * TEN_MINUTES for slot in (begin, end))
        first = int(np.searchsorted(self.annunciations.times, start))
        identity = int(self.annunciations.identities[first])
        return Flood(start, min(stop, self.span[1]), int(counts.sum()), int(counts.max()), identity)

    @property
    def flooded(self) -> float:
        """The share of the time that was flood."""
        time = sum(flood.end - max(flood.start, self.span[0]) for flood in self.floods)
        return time / (self.span[1] - self.span[0])

    def in_floods(self) -> Happenings:
        """The annunciations that came in floods."""
        times = self.annunciations.times
        starts, ends = (np.array([flood[side] for flood in self.floods], np.int64) for side in (0, 1))
        return self.annunciations.only(np.searchsorted(starts, times, "right") > np.searchsorted(ends, times, "right"))

    # -- Who sounds -------------------------------------------------------------------------------------------

    def by_severity(self) -> dict[str, int]:
        """Count annunciations by severity."""
        counts = np.bincount(self.annunciations.severities, minlength=len(SEVERITIES))
        return dict(zip(SEVERITIES, counts.tolist(), strict=True))

    @cached_property
    def loudest(self) -> list[tuple[int, int]]:
        """The ten identities with the most annunciations, as (identity, annunciations), most first."""
        return most_frequent(self.annunciations.identities, TOP)

    # -- What is wrong with the alarms --------------------------------------------------------------------------

    @cached_property
    def chattering(self) -> Happenings:
        """The raises that belong to three or more of the same identity within a minute; hidden ones count as well."""
        order = np.lexsort((self.raised.times, self.raised.identities))
        raised = self.raised.only(order)
        marked = np.zeros(len(raised), bool)
        reach = CHATTERING_RAISES - 1
        if len(raised) > reach:
            near = raised.times[reach:] - raised.times[:-reach] <= CHATTERING_WITHIN
            begins = np.flatnonzero(near & (raised.identities[reach:] == raised.identities[:-reach]))
            for step in range(CHATTERING_RAISES):
                marked[begins + step] = True
        return raised.only(marked)

    @cached_property
    def stretches(self) -> Stretches:
        """From each raise, also those before the span, to its return or the end of the span."""
        events = self.events.only(np.isin(self.events.kinds, (Kind.RAISED, Kind.RETURNED)))
        # As they were recorded: of what has the same event time, the raise that came first is the first.
        events = events.only(np.argsort(events.alerts, kind="stable"))
        raised = np.flatnonzero(events.kinds == Kind.RAISED)
        same = np.append(events.alerts[1:] == events.alerts[:-1], False)[raised]
        following = np.minimum(raised + 1, len(events) - 1)
        returned = same & (events.kinds[following] == Kind.RETURNED)
        ends = np.where(same, events.times[following], self.span[1])
        return Stretches(events.times[raised], ends, events.alerts[raised], events.identities[raised], returned)

    @cached_property
    def fleeting(self) -> Stretches:
        """Those that returned within a minute, before anybody could do anything; what chatters is not told again."""
        short = self.stretches.returned & (self.stretches.lengths < FLEETING_BELOW)
        short &= self.stretches.starts >= self.span[0]
        found = self.stretches.only(short)
        return found.only(~np.isin(found.identities, self.chattering.identities))

    @cached_property
    def stale(self) -> Stretches:
        """Those that lasted more than a day."""
        return self.stretches.only(self.stretches.lengths > STALE_ABOVE)

    # -- What people do ---------------------------------------------------------------------------------------

    @cached_property
    def answers(self) -> tuple[Ints, int]:
        """(µs from each first unanswered annunciation of an alert to its acknowledgement, how many nobody answered).

        By wall time: nobody can answer what is not recorded yet. What was raised before the span does not count.
        """
        events = self.events
        events = events.only(self._told | (events.kinds == Kind.ACKNOWLEDGED))
        events = events.only(np.argsort(events.alerts, kind="stable"))
        answer = events.kinds == Kind.ACKNOWLEDGED
        # A turn is what came of an alert up to the acknowledgement that ends it; one that only answers is no turn.
        after = np.append(True, answer[:-1] | (events.alerts[1:] != events.alerts[:-1]))[: len(events)]
        begins = np.flatnonzero(after & ~answer)
        ends = np.append(np.flatnonzero(after), len(events))
        ends = ends[np.searchsorted(ends, begins, "right")] - 1
        answered = answer[ends]
        times = events.recorded[ends[answered]] - events.recorded[begins[answered]]
        return np.maximum(times, 0), int((~answered).sum())


def most_frequent(numbers: Ints, most: int) -> list[tuple[int, int]]:
    """Return (number, how often) of the most frequent, most first; of equals the smallest first."""
    found, counts = np.unique(numbers, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return list(zip(found[order].tolist(), counts[order].tolist(), strict=True))


def quantiles(times: Ints, shares: Sequence[float]) -> list[int | None]:
    """Return quantiles (linear between neighbours), None of nothing."""
    if not len(times):
        return [None] * len(shares)
    return [round(float(found)) for found in np.quantile(times, shares)]
