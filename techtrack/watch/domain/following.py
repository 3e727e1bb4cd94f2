"""What is remembered from look to look: how long the judge keeps readings waiting, how often a source sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

# A source is known once it was seen so often; then it is silent after so many times its longest pause.
KNOWN = 5
PAUSES = 3
# Uses of a key are noted once a minute, so no pause can be told that is shorter.
SHORTEST_SILENCE = timedelta(minutes=10)
# The longest pause fades, so that one bad night does not make us patient for ever.
FADING = 0.9


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the log's head was ``at`` a time; the judge had not come there ``waiting`` seconds later.

    ``floor``: how long the mark before this one was waited for.
    """

    head: int
    at: datetime
    waiting: float = 0.0
    floor: float = 0.0

    @property
    def lag(self) -> float:
        """For how long (s) readings wait, at least."""
        return max(self.waiting, self.floor)


def mark(before: Mark | None, *, head: int, judged: int, at: datetime) -> Mark | None:
    """Follow the judge; None where nothing waits for it.

    Told by where the log stood when we looked, not by the times in it: those are of other machines' clocks.
    """
    if head <= judged:
        return None
    if before is None:
        return Mark(head, at)
    if judged < before.head <= head:
        waiting = (at - before.at).total_seconds()
        return Mark(before.head, before.at, max(waiting, before.waiting), before.floor)
    return Mark(head, at, floor=before.waiting)


@dataclass(frozen=True, slots=True)
class Habit:
    """How a source sends: when it was last ``seen``, its longest ``pause`` of late (s), and how often it was seen."""

    seen: datetime
    pause: float = 0.0
    times: int = 0

    @property
    def patience(self) -> float | None:
        """After how many seconds it is silent; None while it is not known well enough."""
        return max(SHORTEST_SILENCE.total_seconds(), PAUSES * self.pause) if self.times >= KNOWN else None


def habit(before: Habit | None, *, seen: datetime) -> Habit:
    """Follow a source that was last seen at ``seen``."""
    if before is None:
        return Habit(seen)
    if seen <= before.seen:
        return before
    pause = (seen - before.seen).total_seconds()
    return Habit(seen, max(pause, FADING * before.pause), before.times + 1)
