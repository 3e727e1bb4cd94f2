"""What plans will ask for: the dates of the calendar, and when meters are expected to have counted enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from techtrack.accounts.domain.access import Access
from techtrack.assets.models import Status
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid
from techtrack.tasks.domain.plans import Kind
from techtrack.tasks.domain.schedule import Anchor, History
from techtrack.tasks.models import Course
from techtrack.tasks.queries.planning import parsed

MOST_DATES = 100_000
# Asked of the enumeration for each of them it would cost as much as finding them in the calendar.
CALENDAR = Kind.CALENDAR.value
# Of one plan at one asset, the first: hourly work is no date in a calendar.
MOST_OF_EACH = 400


class TooMuchToCome(Invalid):
    """There are more dates than are told at once."""

    code = "too_much"


@dataclass(frozen=True, slots=True)
class Coming:
    """Work that is due then; ``certain`` is what follows from the calendar alone."""

    course: Course
    due: datetime
    kind: str
    certain: bool


def upcoming(
    *, access: Access, start: datetime, end: datetime, now: datetime, asset_id: int | None, site_id: int | None
) -> list[Coming]:
    """Return what comes in [start, end) of the plans that the caller may see, in order of time.

    Raises:
        TooMuchToCome: ask for a shorter time, or for less.
    """
    rows = Course.objects.visible_to(access).filter(plan__enabled=True).exclude(asset__status=Status.RETIRED)
    rows = rows.select_related("plan", "asset")
    rows = rows if asset_id is None else rows.filter(asset=asset_id)
    rows = rows if site_id is None else rows.filter(asset__site=site_id)
    found: list[Coming] = []
    for row in rows.order_by("pk").iterator(1000):
        found += [one for one in _dates(row, start=start, end=end, now=now) if start <= one.due < end]
        if len(found) > MOST_DATES:
            raise TooMuchToCome(f"more than {MOST_DATES} dates come in this time: ask for less", pointer="?to")
    # Of one time in the order of their courses, as they were found.
    return sorted(found, key=attrgetter("due"))


def _dates(row: Course, *, start: datetime, end: datetime, now: datetime) -> Iterator[Coming]:
    try:
        plan = parsed(row.plan.triggers)
    except Invalid:
        # Such as a zone that the system has no longer: the planner says so of the course.
        return
    if plan.schedule is not None:
        # As if the work that waits were done now.
        closed = now if row.task_id is not None else row.closed
        certain = plan.schedule.anchor is Anchor.SCHEDULED
        # What is counted from completions can be told one after the other only.
        settled = max(row.settled, start - MICROSECOND) if certain else row.settled
        history = History(settled, closed, row.made)
        for due in plan.schedule.upcoming(history, terms=plan.terms, end=end, limit=MOST_OF_EACH):
            yield Coming(row, due, CALENDAR, certain)
    for told in row.outlooks:
        if told["kind"] == Kind.METER and told["due"]:
            yield Coming(row, datetime.fromisoformat(told["due"]), Kind.METER.value, certain=False)
