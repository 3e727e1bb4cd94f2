"""The log's consumers: where each of them stands."""

from __future__ import annotations

import time as monotonic
from typing import NamedTuple

from django.db import connection

from techtrack.core.errors import Conflict
from techtrack.telemetry import queries
from techtrack.telemetry.models import LogConsumer
from techtrack.telemetry.store.database import store
from techtrack.telemetry.store.segments import LANE

# Written out: the judge says it with every commit.
_ADVANCE = "UPDATE telemetry_logconsumer SET position = %s WHERE name = %s AND lane = %s AND position = %s"


def advance(*, consumer: str, passed: int, to: int) -> None:
    """Move a consumer's cursor from ``passed`` to ``to``, inside the transaction of what it did with the log.

    Raises:
        Conflict: another reader of the same name moved it meanwhile; roll back and look again.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, [to, consumer, LANE, passed])
        moved = cursor.rowcount
    if not moved:
        raise Conflict(f"the consumer {consumer} is no longer at {passed}")


class Reached(NamedTuple):
    """How far the log was read: up to a position, and of the entry behind it so many readings."""

    position: int
    readings: int = 0


def advance_within(*, consumer: str, passed: Reached, to: Reached) -> None:
    """Do as ``advance`` does for a consumer that may stop in the middle of an entry; raises the same."""
    rows = LogConsumer.objects.filter(name=consumer, lane=LANE, position=passed.position, readings=passed.readings)
    if not rows.update(position=to.position, readings=to.readings):
        raise Conflict(f"the consumer {consumer} is no longer at {passed.position}")


def begin(*, consumer: str) -> int:
    """Return where a consumer stands; a new one starts at the head of the log as it is now."""
    return begin_within(consumer=consumer).position


def begin_within(*, consumer: str) -> Reached:
    """Return the same of a consumer that may stop in the middle of an entry."""
    row, _ = LogConsumer.objects.get_or_create(name=consumer, lane=LANE, defaults={"position": store.head()})
    return Reached(row.position, row.readings)


def wait_until_consumed(*, consumer: str, position: int, seconds: float) -> bool:
    """Wait until ``consumer`` has passed ``position``, ``seconds`` at most; say whether it has."""
    deadline = monotonic.monotonic() + seconds
    while monotonic.monotonic() < deadline:
        if (queries.consumed(consumer) or 0) >= position:
            return True
        monotonic.sleep(0.005)
    return False
