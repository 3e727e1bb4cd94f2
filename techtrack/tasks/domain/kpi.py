"""How well assets are maintained, as EN 15341 counts: MTBF, MTTR, availability; overdue work, plan compliance.

An instant is *corrective* where a failure keeps the asset down, else *planned* where the plan does, else *up*. So what
is planned never shortens a repair: restoration lasts from the failure until the asset can work again (EN 13306, 9.21),
and a window that somebody lays over a breakdown afterwards does not hide it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from enum import Enum
from operator import add

from techtrack.tasks.domain.workflow import is_overdue

Span = tuple[datetime, datetime]
NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Downtime:
    """The asset was out of work, [start, end); ``end`` is None while it is. ``planned``: it was no failure."""

    start: datetime
    end: datetime | None
    planned: bool


@dataclass(frozen=True, slots=True)
class Reliability:
    """How the time was spent, and how many failures began in it; those of ranges or of assets add up with ``+``.

    ``up`` is all that is not down; ``operating`` the part of it in which the asset worked.
    """

    up: timedelta = NO_TIME
    operating: timedelta = NO_TIME
    corrective: timedelta = NO_TIME
    planned: timedelta = NO_TIME
    failures: int = 0

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(*map(add, astuple(self), astuple(other)))

    @property
    def mtbf(self) -> timedelta | None:
        """Operating time by failures; None where nothing failed, which is not zero but longer than anybody watched."""
        return self.operating / self.failures if self.failures else None

    @property
    def mtbf_at_least(self) -> timedelta | None:
        """Where nothing failed, what one failure at this moment would make of it: a censored observation."""
        return None if self.failures else self.operating

    @property
    def mttr(self) -> timedelta | None:
        """Corrective down time by failures; None where none began, whatever was repaired."""
        return self.corrective / self.failures if self.failures else None

    @property
    def availability(self) -> float | None:
        """The share of the time in which it was to be ready that it was (EN 15341:2019, M10); standby is ready."""
        wanted = self.up + self.corrective
        return self.up / wanted if wanted else None


def reliability(
    downtimes: Iterable[Downtime],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    operating: Iterable[Span] | None = None,
) -> Reliability:
    """Measure one asset in [start, end), up to ``now``: what has not come cannot be good or bad.

    ``operating`` says when the asset worked, as telemetry saw it; None: whenever it was up. A test run during a repair
    is none. Down times that overlap or touch are one failure; it counts where it began, so that ranges add up.
    """
    known = [(one.start, one.end or now, one.planned) for one in downtimes]
    broken = merged((begins, ends) for begins, ends, planned in known if not planned)
    down = merged((begins, ends) for begins, ends, _ in known)
    until = max(start, min(end, now))
    up = without([(start, until)], down)
    corrective, idle = _length(clipped(broken, start, until)), _length(clipped(down, start, until))
    return Reliability(
        up=_length(up),
        operating=_length(up if operating is None else common(up, merged(operating))),
        corrective=corrective,
        planned=idle - corrective,
        failures=sum(start <= begins < until for begins, _ in broken),
    )


# -- Stretches of time ------------------------------------------------------------------------------------------


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same instants in order, in stretches that lie apart; one that ends before it begins is nothing."""
    found: list[Span] = []
    for begins, ends in sorted(span for span in spans if span[0] < span[1]):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((begins, ends))
    return found


def clipped(spans: Iterable[Span], start: datetime, end: datetime) -> list[Span]:
    """Return the parts that lie in [start, end)."""
    cut = ((max(begins, start), min(ends, end)) for begins, ends in spans)
    return [span for span in cut if span[0] < span[1]]


def common(ones: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the instants that lie in both; each as ``merged`` returns them."""
    found: list[Span] = []
    place = 0
    for start, end in ones:
        while place < len(others) and others[place][1] <= start:
            place += 1
        following = place
        while following < len(others) and others[following][0] < end:
            found += clipped([others[following]], start, end)
            following += 1
    return found


def without(ones: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return the instants of ``ones`` that do not lie in ``others``; each as ``merged`` returns them."""
    if not ones:
        return []
    edges = [ones[0][0], *(edge for span in others for edge in span), ones[-1][1]]
    return common(ones, [(begins, ends) for begins, ends in zip(edges[::2], edges[1::2], strict=True) if begins < ends])


def _length(spans: Iterable[Span]) -> timedelta:
    return sum((ends - begins for begins, ends in spans), NO_TIME)


# -- Work that is late ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many tasks should have been done by now, of how many unfinished ones, and for how long the worst."""

    unfinished: int
    overdue: int
    longest: timedelta | None


def overdue(unfinished: Iterable[tuple[str, datetime | None]], *, now: datetime) -> Overdue:
    """Measure the backlog: the state and due date of each unfinished task."""
    work = list(unfinished)
    late = [now - due for state, due in work if due is not None and is_overdue(state, due, now)]
    return Overdue(len(work), len(late), max(late, default=None))


class Kept(Enum):
    """What became of one date of a plan."""

    IN_TIME = "in_time"
    LATE = "late"
    MISSED = "missed"
    WAITING = "waiting"  # its grace still runs


@dataclass(frozen=True, slots=True)
class Planned:
    """Work that a plan brought. It is in time up to ``grace`` after ``due``; early is in time as well.

    ``completed`` is None for what was cancelled too: to call off maintenance is not to do it.
    """

    due: datetime
    completed: datetime | None
    grace: timedelta = NO_TIME


@dataclass(frozen=True, slots=True)
class Compliance:
    """How many dates of plans were kept, and how many not; those whose grace still runs are not judged yet."""

    in_time: int
    late: int
    missed: int
    waiting: int

    @property
    def ratio(self) -> float | None:
        """The share that was done in time; None before anything was due."""
        judged = self.in_time + self.late + self.missed
        return self.in_time / judged if judged else None


def compliance(work: Iterable[Planned], *, start: datetime, end: datetime, now: datetime) -> Compliance:
    """Count what was due in [start, end), whenever it was done (SMRP, PM and PdM compliance: done in time by due)."""
    found = [_kept(one, now) for one in work if start <= one.due < end]
    return Compliance(*(found.count(outcome) for outcome in (Kept.IN_TIME, Kept.LATE, Kept.MISSED, Kept.WAITING)))


def _kept(one: Planned, now: datetime) -> Kept:
    deadline = one.due + one.grace
    if one.completed is None:
        return Kept.WAITING if now <= deadline else Kept.MISSED
    return Kept.IN_TIME if one.completed <= deadline else Kept.LATE
