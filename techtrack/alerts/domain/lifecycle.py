"""The life of an alert as one pure step: from normal through pending to active, and back through returning.

Driven by event time: a sample or a tick first lets the delays run out that end before it, so the same
samples give the same transitions, whenever they arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from techtrack.alerts.domain.condition import Clause, Value


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


@dataclass(frozen=True, slots=True)
class Watch:
    """What a rule demands of a series; delays in µs, clauses gravest first."""

    clauses: tuple[Clause, ...]
    deadband: float = 0.0
    on_delay: int = 0
    off_delay: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """``since``: when the phase began; ``seen``: the newest judged sample; ``clause``: the one that holds."""

    phase: Phase = Phase.NORMAL
    since: int = 0
    seen: int = 0
    clause: int | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing came, but it is ``at`` (µs)."""

    at: int


@dataclass(frozen=True, slots=True)
class Transition:
    """Something an operator should know; ``at`` is event time in µs."""

    change: Change
    at: int
    clause: int
    value: float | None


Step = tuple[State, list[Transition]]
_FIRING = {Phase.ACTIVE, Phase.RETURNING}


def step(state: State, event: Value | Tick, watch: Watch) -> Step:
    """Take one sample or tick; samples not newer than what was seen are late and change nothing."""
    if isinstance(event, Value) and event.at <= state.seen:
        return state, []
    state, transitions = _run_out(state, event.at, watch)
    if isinstance(event, Tick):
        return state, transitions
    clause = _worst(state, event, watch)
    state = replace(state, seen=event.at, value=event.value)
    state, more = _hold(state, event, clause, watch) if clause is not None else _let_go(state, event, watch)
    return state, transitions + more


def due(state: State, watch: Watch) -> int | None:
    """Return when a running delay ends (µs), None where none runs."""
    if state.phase is Phase.PENDING:
        return state.since + watch.on_delay
    if state.phase is Phase.RETURNING:
        return state.since + watch.off_delay
    return None


def _run_out(state: State, at: int, watch: Watch) -> Step:
    end = due(state, watch)
    if end is None or at < end:
        return state, []
    clause = state.clause or 0
    if state.phase is Phase.PENDING:
        return replace(state, phase=Phase.ACTIVE, since=end), [Transition(Change.RAISED, end, clause, state.value)]
    returned = replace(state, phase=Phase.NORMAL, since=end, clause=None)
    return returned, [Transition(Change.RETURNED, end, clause, state.value)]


def _worst(state: State, sample: Value, watch: Watch) -> int | None:
    """Return the gravest clause that holds; the deadband counts for those that were firing."""
    for index, clause in enumerate(watch.clauses):
        firing = state.phase in _FIRING and state.clause is not None and state.clause <= index
        if clause.condition.holds([sample], firing=firing, deadband=watch.deadband):
            return index
    return None


def _hold(state: State, sample: Value, clause: int, watch: Watch) -> Step:
    was, state = state.clause, replace(state, clause=clause)
    if state.phase is Phase.NORMAL:
        state = replace(state, phase=Phase.PENDING, since=sample.at)
        return _run_out(state, sample.at, watch)
    if state.phase is Phase.RETURNING:
        state = replace(state, phase=Phase.ACTIVE, since=sample.at)
    if state.phase is Phase.ACTIVE and was != clause:
        return state, [Transition(Change.SEVERITY_CHANGED, sample.at, clause, sample.value)]
    return state, []


def _let_go(state: State, sample: Value, watch: Watch) -> Step:
    if state.phase is Phase.PENDING:
        return replace(state, phase=Phase.NORMAL, since=sample.at, clause=None), []
    if state.phase is Phase.ACTIVE:
        state = replace(state, phase=Phase.RETURNING, since=sample.at)
        return _run_out(state, sample.at, watch)
    return state, []
