"""Puts off what cannot be looked at, so that it keeps nothing else waiting."""

from __future__ import annotations

from datetime import datetime, timedelta

from techtrack.tasks.models import AssetMeter, Course, Proof, RunLog

# What waits for longest is looked at first: without this, rows that fail each time would be all that is looked at.
AGAIN = timedelta(minutes=1)


def put_off(row: AssetMeter | Course | Proof | RunLog, *, now: datetime) -> None:
    """Let a row that failed as it was looked at be looked at again in a moment, unless somebody has done so since."""
    values = {"look_at": now + AGAIN} | ({"looked_at": now} if isinstance(row, Course) else {})
    type(row)._default_manager.filter(pk=row.pk, steps=row.steps).update(**values)
