"""Writes what the tests of arriving readings found, together with how far they have read the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from techtrack.environment.domain.testing import Stretch
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.quality import Mark
from techtrack.telemetry.services import Doubt, Reached

# How far the tests have read the log.
CONSUMER = "quality"


def flag_doubtful(*, stretches: Sequence[Stretch], passed: Reached, to: Reached, now: datetime) -> None:
    """Mark stretches, and move the place in the log from ``passed`` to ``to`` with them.

    Raises:
        Conflict: another process has tested these readings; what was marked here is undone.
    """
    grown = [one for one in stretches if one.told is None or one.end > one.told]
    with transaction.atomic():
        # First: of two processes with the same marks the slower one learns it here, and writes none.
        telemetry.advance_within(consumer=CONSUMER, passed=passed, to=to)
        positions = telemetry.flag(doubts=[_doubt(one) for one in grown], now=now)
    for stretch, position in zip(grown, positions, strict=True):
        stretch.position, stretch.told = position, stretch.end


def _doubt(one: Stretch) -> Doubt:
    # Of a mark that grows only what is new is told to those who keep statistics.
    start = one.start if one.told is None else one.told + 1
    mark = Mark(one.asset, one.code, start, one.end + 1, one.quality, str(one.flag))
    return Doubt(mark, one.position)
