"""Proves over all that the comparisons of a rule can say together that each condition can show, and that all can end.

Comparisons only change where a value crosses a limit or the far end of its deadband, so a few values stand for all, and
what follows what is a small graph. Features are taken for independent: what is refused here is surely wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite, nextafter

from techtrack.alerts.domain.condition import Clause, Comparator, Leaf

# Of more comparisons there are too many combinations to look at each time a rule is read.
MOST_LEAVES = 8
# Truths (a bit for each comparison that holds) that may follow each.
Courses = Mapping[int, frozenset[int]]


def courses(leaves: Sequence[Leaf]) -> Courses:
    """Return what can follow what, of all that can come about from where nothing holds."""
    steps = list(_steps(leaves))
    found: dict[int, frozenset[int]] = {}
    waiting = {0}
    while waiting:
        truth = waiting.pop()
        found[truth] = frozenset(_after(leaves, truth, places, value) for places, value in steps)
        waiting |= found[truth] - found.keys()
    return found


def can_hold(clause: Clause, graph: Courses) -> bool:
    """Tell whether there are values at which it holds."""
    return any(clause.met(truth) for truth in graph)


def can_show(place: int, clauses: Sequence[Clause], graph: Courses) -> bool:
    """Tell whether the clause at ``place`` ever holds where none of those before it does, which are graver or equal."""
    before = clauses[:place]
    return any(clauses[place].met(truth) and not any(one.met(truth) for one in before) for truth in graph)


def can_end(clauses: Sequence[Clause], graph: Courses) -> bool:
    """Tell whether there is a way from wherever something holds to where nothing does."""
    ended = {truth for truth in graph if not any(clause.met(truth) for clause in clauses)}
    while more := {truth for truth in graph.keys() - ended if graph[truth] & ended}:
        ended |= more
    return len(ended) == len(graph)


def _steps(leaves: Sequence[Leaf]) -> Iterator[tuple[list[int], float | None]]:
    """Give the comparisons of each feature with each value that matters; None stands for silence that lasts."""
    by_feature: dict[int, list[int]] = defaultdict(list)
    for place, leaf in enumerate(leaves):
        by_feature[leaf.feature].append(place)
    for places in by_feature.values():
        for value in _values([leaves[place].comparator for place in places]):
            yield places, value
        lapses = [place for place in places if leaves[place].lapse]
        if lapses:
            yield lapses, None


def _after(leaves: Sequence[Leaf], truth: int, places: Sequence[int], value: float | None) -> int:
    for place in places:
        leaf, bit = leaves[place], 1 << place
        held = value is None or (not leaf.lapse and leaf.comparator.holds(value, held=bool(truth & bit)))
        truth = truth | bit if held else truth & ~bit
    return truth


def _values(comparators: Sequence[Comparator]) -> set[float]:
    """Return the ends of all limits and deadbands, and what lies just beside them."""
    ends = {
        end
        for one in comparators
        for limit in (one.low, one.high)
        for end in (limit - one.deadband, limit, limit + one.deadband)
        if isfinite(end)
    }
    return {0.0, *ends, *(nextafter(end, -inf) for end in ends), *(nextafter(end, inf) for end in ends)}
