"""What tests of the platform itself say of the quality of readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from techtrack.core import events
from techtrack.telemetry.domain.quality import Mark
from techtrack.telemetry.events import SegmentAppended
from techtrack.telemetry.store.base import Growth
from techtrack.telemetry.store.database import store
from techtrack.telemetry.store.segments import LANE


@dataclass(frozen=True, slots=True)
class Doubt:
    """A mark of a test; one that ``extends`` the mark at a position begins where that one is to grow."""

    mark: Mark
    extends: int | None = None


def flag(*, doubts: Sequence[Doubt], now: datetime) -> list[int]:
    """Lay the marks of tests, inside the caller's transaction; return at which position each stands.

    All of them are one entry of the log. What a person says of the same values goes before them, whenever it was said.
    """
    if not doubts:
        return []
    grown = [Growth(doubt.mark, doubt.extends) for doubt in doubts if doubt.extends is not None]
    new = iter(store.mark([doubt.mark for doubt in doubts if doubt.extends is None], grown=grown, now=now))
    events.publish(SegmentAppended(lane=LANE, position=store.head()))
    return [next(new) if doubt.extends is None else doubt.extends for doubt in doubts]
