"""When trouble begins and ends: a delay on either side, a gap between the two edges, and patience with what flaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# A level is what is seen, divided by its limit: at 1 it is trouble, and only well below that it is none.
TROUBLE, WELL = 1.0, 0.8
# Who raises again within so long flaps, and is believed to be well only after twice the time, and so on up to this.
FLAPS = timedelta(hours=1)
LONGEST_OFF = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a level must tell of trouble, and how long that all is well, before it is believed."""

    on: timedelta
    off: timedelta


@dataclass(frozen=True, slots=True)
class State:
    """What is believed. ``since``: from when on the levels say otherwise; ``flaps``: how often it came back soon."""

    active: bool = False
    since: datetime | None = None
    raised_at: datetime | None = None
    flaps: int = 0


def step(state: State, level: float | None, at: datetime, pace: Pace) -> State:
    """Take one level, seen ``at``; one that is not known changes nothing, and a delay that runs begins anew."""
    if level is None or not _contradicts(state, level):
        return replace(state, since=None)
    # A clock may have been set back: then the delay runs from here.
    since = min(state.since or at, at)
    if at - since < _delay(state, pace):
        return replace(state, since=since)
    if state.active:
        return replace(state, active=False, since=None)
    soon = state.raised_at is not None and at - state.raised_at < FLAPS
    return State(active=True, raised_at=at, flaps=state.flaps + 1 if soon else 0)


def _contradicts(state: State, level: float) -> bool:
    return level < WELL if state.active else level >= TROUBLE


def _delay(state: State, pace: Pace) -> timedelta:
    if not state.active:
        return pace.on
    # Ten doublings are beyond any bound.
    doubled: timedelta = pace.off * (1 << min(state.flaps, 10))
    return min(doubled, max(pace.off, LONGEST_OFF))
