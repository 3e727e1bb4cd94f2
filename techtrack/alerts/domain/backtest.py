"""What a rule would have found in a stretch of the past: the judge's own features and step, on whole series.

Comparisons are made on columns; ``step`` is fed only where one of them changes, for nothing else can change a rule.
``tests/unit/alerts/test_backtest.py`` shows that it finds what ``step`` finds when it is fed every value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from techtrack.alerts.domain.condition import Comparator, Leaf
from techtrack.alerts.domain.features.base import (
    NOTHING,
    SECOND,
    Columns,
    Feature,
    Flags,
    Floats,
    Ints,
    Raw,
    Samples,
    chain,
    finite,
)
from techtrack.alerts.domain.features.changes import Gap
from techtrack.alerts.domain.features.windows import Windows
from techtrack.alerts.domain.lifecycle import Change, Look, State, Transition, step
from techtrack.alerts.domain.rule import Watch

_HALF = 0.5


class Series(NamedTuple):
    """Readings of one parameter of one asset, by time (µs), each later than the one before."""

    at: Ints
    values: Floats


class Truth(NamedTuple):
    """When a comparison begins (1) and ceases (0) to hold, by time."""

    at: Ints
    holds: Flags


class Silences(NamedTuple):
    """When what held was forgotten: ``lapses``; those that ended did at ``ends``, and had begun at ``begun``."""

    lapses: Ints
    ends: Ints
    begun: Ints


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert that would have been: event times in µs; ``returned`` None where it was still active at the end.

    ``clause`` is the gravest that held; ``value`` what raised it, and ``limit`` what it was held against.
    """

    raised: int
    returned: int | None
    clause: int
    value: float | None
    limit: float | None


class Past:
    """What is known of one asset up to ``until`` (µs); what a feature makes of it is derived once, whoever asks."""

    def __init__(self, series: Mapping[str, Series], until: int) -> None:
        self.until = until
        self._series = series
        self._derived: dict[Feature, Samples] = {}
        self._lapses: dict[Gap, Ints] = {}
        self._memories: dict[Feature, Columns] = {}

    def series(self, code: str) -> Series | None:
        """Return the readings of a parameter, None where there are none."""
        readings = self._series.get(code)
        return readings if readings is not None and len(readings.at) else None

    def memory(self, feature: Feature) -> Columns | None:
        """Return what a feature remembers at the end, None where it has seen nothing."""
        self.samples(feature)
        return self._memories.get(feature)

    def samples(self, feature: Feature) -> Samples:
        """Return the values of a feature, windows that end by ``until`` included."""
        if feature not in self._derived:
            self._derived[feature] = self._derive(feature)
        return self._derived[feature]

    def lapses(self, gap: Gap) -> Ints:
        """Return when nothing had come for too long, in order."""
        if gap not in self._lapses:
            self.samples(gap)
            self._lapses.setdefault(gap, np.empty(0, np.int64))
        return self._lapses[gap]

    @np.errstate(over="ignore", invalid="ignore")
    def _derive(self, feature: Feature) -> Samples:
        readings = self.series(feature.code)
        if readings is None:
            return NOTHING
        count = len(readings.at)
        samples = Samples(np.zeros(count, np.intp), np.zeros(count, np.int64), readings.at, readings.values)
        for link in chain(feature)[1:]:
            memory = self._memories[link] = link.blank(1)
            fed = link.feed(memory, samples)
            if isinstance(link, Windows):
                ended = link.close(memory, np.array([self.until]))
                fed = Samples(*(np.concatenate(pair) for pair in zip(fed, ended, strict=True)))
            elif isinstance(link, Gap):
                self._lapses[link] = self._lapsed(link, memory, fed)
            samples = finite(fed)
        return samples

    def _lapsed(self, gap: Gap, memory: Columns, overdue: Samples) -> Ints:
        late = overdue.values > 0
        times: Ints = overdue.at[late] - np.rint(overdue.values[late] * SECOND).astype(np.int64)
        last = int(gap.lapses(memory)[0])
        return np.append(times, last) if last < self.until else times


def replay(watch: Watch, past: Past) -> list[Transition]:
    """Return what the rule would have said, from the first reading up to the end of what is known.

    As if all readings had come in the order of time; where parameters of a rule that forgets in silence are sent at
    different times, its return may be told some readings early.
    """
    silences = _silences(watch, past)
    truths = [_truth(watch, leaf, past, silences) for leaf in watch.leaves]
    state, found = State(), list[Transition]()
    simple = _simplified(watch)
    for look in _looks(truths, silences):
        state, transitions = step(state, look, simple)
        found += transitions
    state, transitions = step(state, Look(past.until), simple)
    return [_valued(one, watch, past) for one in [*found, *transitions]]


def episodes(transitions: Sequence[Transition], watch: Watch) -> list[Episode]:
    """Put raises and returns together."""
    found: list[Episode] = []
    for one in transitions:
        if one.change is Change.RAISED:
            found.append(Episode(one.at, None, one.clause, one.value, watch.limit(one.clause, one.value)))
        elif one.change is Change.SEVERITY_CHANGED and found:
            found[-1] = replace(found[-1], clause=min(found[-1].clause, one.clause))
        elif one.change is Change.RETURNED and found:
            found[-1] = replace(found[-1], returned=one.at)
    return found


def _silences(watch: Watch, past: Past) -> Silences:
    """Return the silences in which a rule forgets what held; none for other rules."""
    gaps = {watch.features[leaf.feature] for leaf in watch.leaves if leaf.lapse and watch.forgets}
    told = [(past.lapses(gap), past.samples(gap)) for gap in gaps if isinstance(gap, Gap)]
    if not told:
        return Silences(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
    lapses = np.concatenate([lapses for lapses, _ in told])
    ends = np.concatenate([samples.at[samples.values > 0] for _, samples in told])
    begun = np.concatenate([lapses[: (samples.values > 0).sum()] for lapses, samples in told])
    # Of two that end at the same time the one that began first is noticed first, and leaves nothing to the other.
    order = np.lexsort((-begun, ends))
    return Silences(np.unique(lapses), ends[order], begun[order])


def _truth(watch: Watch, leaf: Leaf, past: Past, silences: Silences) -> Truth:
    """Return when a leaf holds."""
    feature = watch.features[leaf.feature]
    samples = past.samples(feature)
    if leaf.lapse and isinstance(feature, Gap):
        return _lapsed(samples, past.lapses(feature), watch)
    fresh = np.zeros(len(samples.at), bool)
    # What held is forgotten in a silence: the first value after it, and that which ends it, begin anew.
    for times, side in ((silences.lapses, "right"), (silences.ends, "left")):
        places = np.searchsorted(samples.at, times, side=side)  # type: ignore[call-overload]
        fresh[places[places < len(samples.at)]] = True
    holds = _compared(leaf.comparator, samples.values, fresh)
    if watch.count is not None:
        holds = _counted(holds, fresh, *watch.count)
    if not len(silences.lapses):
        return _changes(samples.at, holds)
    # Of one time the end of a silence comes first, then the value; and silence goes before a value.
    at = np.concatenate([silences.ends, samples.at, silences.lapses])
    order = np.argsort(at, kind="stable")
    still = np.zeros(len(silences.ends), bool), np.zeros(len(silences.lapses), bool)
    return _changes(at[order], np.concatenate([still[0], holds, still[1]])[order])


def _lapsed(samples: Samples, times: Ints, watch: Watch) -> Truth:
    if watch.forgets:
        return Truth(np.empty(0, np.int64), np.empty(0, bool))
    ends = samples.at[samples.values > 0]
    at = np.concatenate([times, ends])
    order = np.argsort(at, kind="stable")
    holds = np.concatenate([np.ones(len(times), bool), np.zeros(len(ends), bool)])
    return Truth(at[order], holds[order])


def _compared(comparator: Comparator, values: Floats, fresh: Flags) -> Flags:
    """Compare all values; what lies in the deadband holds if the one before held."""
    low, high, slack = comparator.low, comparator.high, comparator.deadband
    if comparator.inside:
        begins = (values >= low) & (values <= high)
        stays = (values >= low - slack) & (values <= high + slack)
    else:
        begins = (values < low) | (values > high)
        stays = (values < low + slack) | (values > high - slack)
    if not slack:
        return begins
    # Where neither is said, the last thing said counts.
    said = begins | ~stays | fresh
    last = np.maximum.accumulate(np.where(said, np.arange(len(values)), -1))
    holds: Flags = (last >= 0) & begins[np.maximum(last, 0)]
    return holds


def _counted(holds: Flags, fresh: Flags, need: int, of: int) -> Flags:
    """Flag where ``need`` of the last ``of`` values hold; counting begins anew where it is ``fresh``."""
    sums = np.concatenate([[0], np.cumsum(holds)])
    here = np.arange(len(holds))
    began = np.maximum.accumulate(np.where(fresh, here, 0)) if len(holds) else here
    counted: Flags = sums[1:] - sums[np.maximum(here - of + 1, began)] >= need
    return counted


def _changes(at: Ints, holds: Flags) -> Truth:
    if not len(at):
        return Truth(at, holds)
    changed = np.concatenate([holds[:1], holds[1:] != holds[:-1]])
    return Truth(at[changed], holds[changed])


def _looks(truths: Sequence[Truth], silences: Silences) -> list[Look]:
    """Put the changes of all leaves in the order of time, one look for each time.

    A value that ends a silence lets ``step`` notice the silence once more, as it does live.
    """
    at = np.concatenate([truth.at for truth in truths])
    leaves = np.repeat(np.arange(len(truths)), [len(truth.at) for truth in truths])
    holds = np.concatenate([truth.holds for truth in truths])
    order = np.argsort(at, kind="stable")
    values: dict[int, dict[int, float]] = {time: {} for time in silences.ends.tolist()}
    for time, leaf, held in zip(at[order].tolist(), leaves[order].tolist(), holds[order].tolist(), strict=True):
        values.setdefault(time, {})[leaf] = float(held)
    noticed = dict(zip(silences.ends.tolist(), silences.begun.tolist(), strict=True))
    looks: list[Look] = []
    for time in sorted(values):
        if time in noticed:
            looks.append(Look(noticed[time], silent=frozenset([0])))
        looks.append(Look(time, values[time]))
    return looks


def _simplified(watch: Watch) -> Watch:
    """Return the same rule over features that are 1 while a leaf holds and else 0."""
    features = tuple(Raw(str(index)) for index in range(len(watch.leaves)))
    leaves = tuple(Leaf(index, Comparator(high=_HALF)) for index in range(len(watch.leaves)))
    return replace(watch, features=features, leaves=leaves, count=None, lapsing=False)


def _valued(one: Transition, watch: Watch, past: Past) -> Transition:
    """Give a transition the value it is about: the newest that its clause looks at, before a delay's end or at it."""
    delay = {Change.RAISED: watch.on_delay, Change.RETURNED: watch.off_delay}.get(one.change)
    side: Literal["left", "right"] = "left" if delay else "right"
    for needed in watch.clauses[one.clause].holds:
        for index, leaf in enumerate(watch.leaves):
            if needed >> index & 1 and not leaf.lapse:
                samples = past.samples(watch.features[leaf.feature])
                place = int(np.searchsorted(samples.at, one.at, side=side)) - 1
                return one._replace(value=float(samples.values[place]) if place >= 0 else None)
    return one._replace(value=None)
