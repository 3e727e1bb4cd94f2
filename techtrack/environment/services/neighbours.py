"""Writes which hours of sensors are unlike those around, each hour once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from techtrack.airquality.quality import Flag
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict
from techtrack.environment.models import Round
from techtrack.environment.queries import Unlike
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.services import Doubt

NAME = "neighbours"
HOUR = 3_600_000_000


class AlreadyCompared(Conflict):
    """Another process has compared this hour."""


def compared_up_to(*, hour: int) -> int:
    """Return the last hour (since 1970) whose neighbours were compared; who begins, begins behind ``hour``."""
    row, _ = Round.objects.get_or_create(name=NAME, defaults={"hour": hour})
    return row.hour


@transaction.atomic
def flag_unlike(*, found: Sequence[Unlike], ends: datetime, passed: int, now: datetime) -> None:
    """Mark the hour that ends at a moment of these sensors, and note that it was compared, after ``passed``.

    A mark says that they are suspect, no more: what others measured shows nothing for certain of what was here.

    Raises:
        AlreadyCompared: another process was faster; nothing is written.
    """
    last = to_micros(ends) // HOUR
    if not Round.objects.filter(name=NAME, hour=passed).update(hour=last):
        raise AlreadyCompared(f"the hour {last} was compared by another process")
    marks = [
        Mark(one.asset, one.code, (last - 1) * HOUR, last * HOUR, Quality.SUSPECT, Flag.NEIGHBOURS) for one in found
    ]
    telemetry.flag(doubts=[Doubt(mark) for mark in marks], now=now)
