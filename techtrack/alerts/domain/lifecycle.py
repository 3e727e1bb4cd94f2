"""The life of an alert as one pure step: from normal through pending to active, and back through returning.

Driven by event time: a look first lets the delays run out that end before it, so the same values give the same
transitions, whenever they arrive. The live judge, the rule lab and replays all call this one function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from techtrack.alerts.domain.features.base import SECOND
from techtrack.alerts.domain.rule import Watch

_NONE: Mapping[int, float] = {}


class Phase(StrEnum):
    """Where a rule stands with one asset."""

    NORMAL = "normal"
    PENDING = "pending"  # the condition holds, the on-delay runs
    ACTIVE = "active"
    RETURNING = "returning"  # the condition no longer holds, the off-delay runs


class Change(StrEnum):
    """What a transition says."""

    RAISED = "raised"
    RETURNED = "returned"
    SEVERITY_CHANGED = "severity_changed"
    PAST = "past"  # an episode that late data tell of: over when it was found


class State(NamedTuple):
    """Where a rule stands with an asset; times are event times in µs.

    ``since``: when the phase began; ``seen``: the newest look; ``clause``: the one that holds; ``value``: what it is
    about. ``truth`` has a bit for each leaf that holds, ``history`` of each the last values, where they are counted.
    """

    phase: Phase = Phase.NORMAL
    since: int = 0
    seen: int = 0
    clause: int | None = None
    value: float | None = None
    truth: int = 0
    history: int = 0

    @property
    def asleep(self) -> bool:
        """Whether nothing but a value that wakes it can change it."""
        return self.phase is Phase.NORMAL and not self.truth and not self.history


class Look(NamedTuple):
    """What is new ``at`` a time (µs): values by feature, or that nothing has come for leaves that wait; or nothing."""

    at: int
    values: Mapping[int, float] = _NONE
    silent: frozenset[int] = frozenset()


class Transition(NamedTuple):
    """Something an operator should know; ``at`` is event time in µs, ``since`` when an episode of the past began."""

    change: Change
    at: int
    clause: int
    value: float | None
    since: int | None = None


Step = tuple[State, list[Transition]]
_FRESH = State()


def step(state: State, look: Look, watch: Watch) -> Step:
    """Take one look; those of one feature come in the order of time."""
    transitions: list[Transition] = []
    if watch.lapsing:
        # What lapsed before this value came, whether or not a clock has noticed.
        for at, leaf in sorted(_lapses(look, watch)):
            state, found = _see(state, Look(at, silent=frozenset([leaf])), watch)
            transitions += found
    if len(watch.features) > 1 and look.values:
        look = _heard(state, look, watch)
        if not look.values and not look.silent:
            return state, transitions
    state, found = _see(state, look, watch)
    return state, transitions + found if transitions else found


def due(state: State, watch: Watch) -> int | None:
    """Return when something ends by itself (µs): a delay, or the rule's schedule; None where nothing runs."""
    end = None
    if state.phase is Phase.PENDING:
        end = state.since + watch.on_delay
    elif state.phase is Phase.RETURNING:
        end = state.since + watch.off_delay
    if watch.schedule is not None and not state.asleep:
        change = watch.schedule.next_change(state.seen)
        if change is not None and (end is None or change < end):
            return change
    return end


def _heard(state: State, look: Look, watch: Watch) -> Look:
    """Leave out values of features that are quiet and were: judged or passed over, they are no look at all."""
    of = watch.count[1] if watch.count else 0
    kept = {}
    for index, leaf in enumerate(watch.leaves):
        value = look.values.get(leaf.feature)
        held = state.truth >> index & 1 or (state.history >> (index * of)) & ((1 << of) - 1)
        if value is not None and (held or leaf.comparator.holds(value, held=False)):
            kept[leaf.feature] = value
    return Look(look.at, kept, look.silent)


def _lapses(look: Look, watch: Watch) -> Iterator[tuple[int, int]]:
    """Give when leaves had lapsed that a look ends: the value of a gap is by how many seconds it was too long."""
    for index, leaf in enumerate(watch.leaves):
        if leaf.lapse and (overdue := look.values.get(leaf.feature, 0.0)) > 0:
            yield look.at - round(overdue * SECOND), index


def _see(state: State, look: Look, watch: Watch) -> Step:
    transitions: list[Transition] = []
    # What is over is forgotten at the end of a page, and with a restart: so it is at once.
    if state.asleep:
        state = _FRESH
    # What comes is never before what was seen: another parameter may have been faster, or a clock.
    at = max(look.at, state.seen, state.since)
    while (end := due(state, watch)) is not None and end <= at:
        state, found = _end(state, end, watch)
        transitions += found
    if state.asleep:
        state = _FRESH
    if not look.values and not look.silent:
        return state, transitions
    state = _noted(state, look, watch, at)
    value = _value(state, look, watch)
    if value != state.value:
        state = state._replace(value=value)
    state, found = _judged(state, _worst(state, watch, at), at, watch)
    return state, transitions + found if transitions else found


def _end(state: State, end: int, watch: Watch) -> Step:
    """Let what runs until ``end`` run out: a delay, or else a stretch of the schedule."""
    clause = state.clause or 0
    if state.phase is Phase.PENDING and end == state.since + watch.on_delay:
        return state._replace(phase=Phase.ACTIVE, since=end), [Transition(Change.RAISED, end, clause, state.value)]
    if state.phase is Phase.RETURNING and end == state.since + watch.off_delay:
        returned = state._replace(phase=Phase.NORMAL, since=end, clause=None)
        return returned, [Transition(Change.RETURNED, end, clause, state.value)]
    state = state._replace(seen=end)
    return _judged(state, _worst(state, watch, end), end, watch)


def _noted(state: State, look: Look, watch: Watch, at: int) -> State:
    """Compare what is new; remember what holds."""
    if look.silent and watch.forgets:
        return state._replace(seen=at, truth=0, history=0)
    truth, history = state.truth, state.history
    for index, leaf in enumerate(watch.leaves):
        bit = 1 << index
        if leaf.feature in look.values:
            # A gap that is over is over.
            held = not leaf.lapse and leaf.comparator.holds(look.values[leaf.feature], held=bool(truth & bit))
            truth = truth | bit if held else truth & ~bit
            if watch.count is not None and not leaf.lapse:
                history = _shifted(history, index, watch.count[1], held=held)
        elif index in look.silent:
            truth |= bit
    return state._replace(seen=at, truth=truth, history=history)


def _shifted(history: int, index: int, of: int, *, held: bool) -> int:
    mask = ((1 << of) - 1) << (index * of)
    last = (history & mask) >> (index * of)
    return (history & ~mask) | ((((last << 1) | held) & ((1 << of) - 1)) << (index * of))


def _counted(state: State, watch: Watch) -> int:
    """Return the leaves that hold, counted over the last values where the rule counts."""
    if watch.count is None:
        return state.truth
    need, of = watch.count
    truth = 0
    for index, leaf in enumerate(watch.leaves):
        last = (state.history >> (index * of)) & ((1 << of) - 1)
        holds = state.truth >> index & 1 if leaf.lapse else last.bit_count() >= need
        truth |= int(holds) << index
    return truth


def _worst(state: State, watch: Watch, at: int) -> int | None:
    """Return the gravest clause that holds; none outside the schedule."""
    if watch.schedule is not None and not watch.schedule.covers(at):
        return None
    return _met(_counted(state, watch), watch)


def _met(truth: int, watch: Watch) -> int | None:
    """Return the gravest clause that holds, whatever the schedule."""
    if not truth:
        return None
    return next((index for index, clause in enumerate(watch.clauses) if clause.met(truth)), None)


def _value(state: State, look: Look, watch: Watch) -> float | None:
    """Return what the alert is about: the newest value that makes its clause hold, or that lets it go."""
    truth = _counted(state, watch)
    met = _met(truth, watch)
    place = state.clause if met is None else met
    if place is None or place >= len(watch.clauses):
        return state.value
    for needed in watch.clauses[place].holds:
        if met is not None and truth & needed != needed:
            continue
        for index, leaf in enumerate(watch.leaves):
            if needed >> index & 1 and not leaf.lapse and leaf.feature in look.values:
                return look.values[leaf.feature]
    return state.value


def _judged(state: State, clause: int | None, at: int, watch: Watch) -> Step:
    if clause is not None:
        return _hold(state, clause, at, watch)
    return _let_go(state, at, watch)


def _hold(state: State, clause: int, at: int, watch: Watch) -> Step:
    was, state = state.clause, state._replace(clause=clause)
    if state.phase is Phase.NORMAL:
        state = state._replace(phase=Phase.PENDING, since=at)
        return _end(state, at, watch) if not watch.on_delay else (state, [])
    if state.phase is Phase.RETURNING:
        state = state._replace(phase=Phase.ACTIVE, since=at)
    if state.phase is Phase.ACTIVE and was != clause:
        return state, [Transition(Change.SEVERITY_CHANGED, at, clause, state.value)]
    return state, []


def _let_go(state: State, at: int, watch: Watch) -> Step:
    if state.phase is Phase.PENDING:
        return state._replace(phase=Phase.NORMAL, since=at, clause=None, value=None), []
    if state.phase is Phase.ACTIVE:
        state = state._replace(phase=Phase.RETURNING, since=at)
        return _end(state, at, watch) if not watch.off_delay else (state, [])
    return state, []
