"""What is wrong with an alarm system and what would mend it, so that the rule lab can try it before anybody edits.

The advised delays are those that would have been enough for all that was measured: an off-delay longer than every
pause between two chatters joins them, an on-delay longer than every fleeting alert keeps it from being raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.kpi import (
    CHATTERING_WITHIN,
    FLOOD_ABOVE,
    PRIORITIES,
    PRIORITY_TARGETS,
    SECOND,
    TOP,
    Ints,
    Measures,
    Stretches,
    most_frequent,
)
from techtrack.core.clock import iso_duration

# The delays that a person would choose.
NICE = tuple(seconds * SECOND for seconds in (2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600))
LONGEST_ADVISED = 600 * SECOND
# Fewer may be chance.
FEWEST_FLEETING = 3
FEWEST_FREQUENT = 20
FREQUENT_SHARE = 0.05
FEWEST_FOR_MIX = 20
MOST_REVIEWED = 3
MOST_OF_A_KIND = 10


class Identity(NamedTuple):
    """What an alert is about; ``rule`` is None for what people report and for rules that are gone."""

    rule: int | None
    asset: int
    parameter: str


class Delays(NamedTuple):
    """A rule's delays as they are (µs)."""

    on: int
    off: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend; ``identity`` is None where it is the whole system's, ``fix`` what would do it."""

    problem: str
    identity: Identity | None
    count: int
    detail: str
    fix: dict[str, Any] = field(default_factory=dict)


def problems(measures: Measures, identities: Sequence[Identity], rules: Mapping[int, Delays]) -> list[Problem]:
    """Return what is wrong, of each kind the ten worst; ``identities`` by their numbers, ``rules`` that are there."""
    adviser = _Adviser(measures, identities, rules)
    whole = [*adviser.floods(), *adviser.priorities()]
    single = [*adviser.chattering(), *adviser.fleeting(), *adviser.frequent(), *adviser.stale()]
    return whole + single


@dataclass(frozen=True, slots=True)
class _Adviser:
    measures: Measures
    identities: Sequence[Identity]
    rules: Mapping[int, Delays]

    def floods(self) -> Iterator[Problem]:
        floods = self.measures.floods
        if floods:
            share = f"{self.measures.flooded:.1%} of the time was flood (more than {FLOOD_ABOVE} in ten minutes)"
            yield Problem("flood", None, len(floods), share, self._review(self.measures.in_floods().identities))

    def priorities(self) -> Iterator[Problem]:
        counts = self.measures.by_severity()
        whole = sum(counts.values())
        for priority in ("high", "medium") if whole >= FEWEST_FOR_MIX else ():
            count = sum(counts[severity] for severity in PRIORITIES[priority])
            target = PRIORITY_TARGETS[priority]
            if count > 2 * target * whole:
                told = (
                    f"{count / whole:.0%} of the annunciations have {priority} priority, where {target:.0%} are usual"
                )
                yield Problem("priorities", None, count, told, self._review(self._of_priority(priority)))

    def chattering(self) -> Iterator[Problem]:
        found = self.measures.chattering
        for number, count in most_frequent(found.identities, MOST_OF_A_KIND):
            stretches = self._stretches(number)
            pauses = stretches.starts[1:] - stretches.ends[:-1]
            raised = found.times[found.identities == number]
            within = (pauses < CHATTERING_WITHIN) & np.isin(stretches.starts[1:], raised)
            told = f"raised three times or more within a minute, {count} raises in all"
            yield self._problem("chattering", number, count, told, off=_most(pauses[within]))

    def fleeting(self) -> Iterator[Problem]:
        found = self.measures.fleeting
        for number, count in most_frequent(found.identities, MOST_OF_A_KIND):
            if count < FEWEST_FLEETING:
                break
            lengths = found.lengths[found.identities == number]
            told = f"over within a minute {count} times, before anybody could do anything"
            yield self._problem("fleeting", number, count, told, on=_most(lengths))

    def frequent(self) -> Iterator[Problem]:
        known = {*self.measures.chattering.identities.tolist(), *self.measures.fleeting.identities.tolist()}
        whole = len(self.measures.annunciations)
        for number, count in self.measures.loudest:
            if number in known or count < max(FEWEST_FREQUENT, FREQUENT_SHARE * whole):
                continue
            stretches = self._stretches(number)
            pauses, lengths = stretches.starts[1:] - stretches.ends[:-1], stretches.lengths[stretches.returned]
            told = f"{count / whole:.0%} of all annunciations"
            # Whichever is shorter delays less and takes away half of them.
            pause, length = _median(pauses), _median(lengths)
            shorter = {"off": pause} if (pause or np.inf) <= (length or np.inf) else {"on": length}
            yield self._problem("frequent", number, count, told, **shorter)

    def stale(self) -> Iterator[Problem]:
        found = self.measures.stale
        for number, count in most_frequent(found.identities, MOST_OF_A_KIND):
            mine = found.only(found.identities == number)
            days = int(mine.lengths.max()) / (86_400 * SECOND)
            told = f"active for {days:.1f} days" + (" and still is" if not mine.returned[-1] else "")
            fix = {"action": "open_task", "alert": int(mine.alerts[-1])}
            yield Problem("stale", self.identities[number], count, told, fix)

    def _problem(
        self, problem: str, number: int, count: int, told: str, *, on: int | None = None, off: int | None = None
    ) -> Problem:
        identity = self.identities[number]
        delays = self.rules.get(identity.rule or 0)
        fix: dict[str, Any] = {"action": "review", "rules": [] if identity.rule is None else [identity.rule]}
        if delays is not None and (off or on):
            name, wanted = ("off_delay", (off or 0) + delays.off) if off else ("on_delay", (on or 0) + delays.on)
            advised = nice(wanted)
            if advised is not None:
                changes = {name: iso_duration(timedelta(microseconds=advised))}
                fix = {"action": "preview", "rule_id": identity.rule, "assets": [identity.asset], "changes": changes}
        return Problem(problem, identity, count, told, fix)

    def _stretches(self, number: int) -> Stretches:
        found = self.measures.stretches
        found = found.only(found.identities == number)
        return found.only(np.argsort(found.starts, kind="stable"))

    def _of_priority(self, priority: str) -> Ints:
        ranks = [SEVERITIES.index(severity) for severity in PRIORITIES[priority]]
        told = self.measures.annunciations
        return told.identities[np.isin(told.severities, ranks)]

    def _review(self, identities: Ints) -> dict[str, Any]:
        found = [self.identities[number].rule for number, _ in most_frequent(identities, TOP * TOP)]
        rules = list(dict.fromkeys(rule for rule in found if rule is not None))
        return {"action": "review", "rules": rules[:MOST_REVIEWED]}


def nice(wanted: int) -> int | None:
    """Return the first usual delay (µs) above ``wanted``, None where that would be too long to wait."""
    return next((delay for delay in NICE if wanted < delay <= LONGEST_ADVISED), None)


def _most(times: Ints) -> int | None:
    return int(times.max()) if len(times) else None


def _median(times: Ints) -> int | None:
    return int(np.median(times)) if len(times) else None
