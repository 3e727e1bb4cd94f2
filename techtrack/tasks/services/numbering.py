"""Numbers the changes of tasks in the order in which they become visible, for those who keep a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import connection

from techtrack.core.keys import prove_keys
from techtrack.core.models import Head
from techtrack.live.queries import HEAD as LIVE
from techtrack.tasks import queries
from techtrack.tasks.events import TaskChanged
from techtrack.tasks.models import Departure

_AT_ONCE = 5000
_GIVE = """
    INSERT INTO tasks_tasknumber (task_id, number) SELECT id, %s FROM tasks_task WHERE id IN ({ids})
    ON CONFLICT (task_id) DO UPDATE SET number = excluded.number
"""


def number_changes(*, facts: Sequence[TaskChanged], now: datetime) -> None:
    """Give what changed one number, and note whom tasks have left; hear it behind those who show it.

    From here to the commit nobody else gets a number: all rows must be locked before.
    """
    if not any(fact.shown for fact in facts):
        # The heads are taken in one order by all, or two would wait for each other; and by nobody who waits for rows.
        prove_keys()
        Head.hold(LIVE)
    number = Head.take(queries.HEAD)
    for part in queries.parts(sorted({fact.task_id for fact in facts})):
        _give(number, part)
    gone = [row for fact in facts if fact.event == "deleted" for row in _departures(fact, now)]
    if gone:
        Departure.objects.bulk_create(gone, batch_size=_AT_ONCE)


def _give(number: int, ids: Sequence[int]) -> None:
    """Give tasks a number, those of them that are there."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE.format(ids=", ".join(["%s"] * len(ids))), [number, *ids])


def _departures(fact: TaskChanged, now: datetime) -> Iterator[Departure]:
    audience = fact.audience
    for person in sorted(audience.people):
        yield Departure(task_id=fact.task_id, person_id=person, at=now)
    if audience.site is not None:
        yield Departure(task_id=fact.task_id, site_id=audience.site, at=now)
    if audience.asset is not None:
        yield Departure(task_id=fact.task_id, asset_id=audience.asset, at=now)
