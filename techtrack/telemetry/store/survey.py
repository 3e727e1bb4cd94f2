"""Walks over all that is stored, an asset and some hundred hours at a time, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from techtrack.core.clock import EPOCH
from techtrack.telemetry.domain.quality import Mark
from techtrack.telemetry.models import Chunk, DayRollup, Latest, Rollup
from techtrack.telemetry.store import chunks
from techtrack.telemetry.store.chunks import Stored
from techtrack.telemetry.store.folding import Group

HOURS = 240
Keys = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something stored that is not as it must be: of which asset (None: of none) and hour since 1970."""

    asset: int | None
    hour: int | None
    detail: str

    @property
    def when(self) -> str | None:
        """The hour in UTC."""
        # Not every hour that a damaged row may name is one of the calendar.
        if self.hour is None or not -(10**7) < self.hour < 7 * 10**7:
            return None if self.hour is None else f"hour {self.hour}"
        return f"{EPOCH + timedelta(hours=self.hour):%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True, slots=True)
class Step:
    """Some more hours of an asset were gone through."""

    hours: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A row of Chunk, its payload decoded."""

    stored: Stored
    readings: int
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Window:
    """What is stored of an asset in some hours: chunks by hour, and rollups (codes, payload) by hour."""

    asset: int
    last: int
    chunks: Mapping[int, ChunkRow]
    rollups: Mapping[int, tuple[str, bytes]]
    marks: tuple[Mark, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.chunks.keys() | self.rollups.keys())

    def group(self) -> Group:
        """Give the hours whose chunks can be read, as a fold has them."""
        rows = [row.stored for row in self.chunks.values() if not row.stored.damaged]
        return Group(
            np.full(len(rows), self.asset, np.int64),
            np.array([row.hour for row in rows], np.int64),
            np.array([row.through for row in rows], np.int64),
            chunks.joined([row.readings for row in rows]),
            np.cumsum([0, *(len(row.readings.times) for row in rows)])[:-1],
            [row.readings.locked for row in rows],
            {self.asset: self.marks} if self.marks else {},
        )


def total(assets: Iterable[int] | None) -> int:
    """Count the hours of assets that are stored, rolled up at least."""
    rows = Rollup.objects.all()
    return (rows if assets is None else rows.filter(asset_id__in=list(assets))).count()


def stored_assets() -> Iterator[int]:
    """Give the ids of assets of which anything is stored, ascending."""
    last = -1
    while (following := _next_asset(last)) is not None:
        yield following
        last = following


def _next_asset(last: int) -> int | None:
    models: list[Any] = [Chunk, Rollup, DayRollup, Latest]
    rows = (model.objects.filter(asset_id__gt=last).order_by("asset_id") for model in models)
    found = [row for one in rows if (row := one.values_list("asset_id", flat=True).first()) is not None]
    return min(found, default=None)


def load(asset: int, after: int) -> Window | None:
    """Read the next hours of an asset behind ``after``, in a snapshot of the caller's; None where there are none."""
    models: list[Any] = [Chunk, Rollup]
    rows = (model.objects.filter(asset_id=asset, hour__gt=after).order_by("hour") for model in models)
    firsts = [row for one in rows if (row := one.values_list("hour", flat=True).first()) is not None]
    if not firsts:
        return None
    last = min(firsts) + HOURS - 1
    span = {"asset_id": asset, "hour__gt": after, "hour__lte": last}
    columns = ("hour", "through", "readings", "first_at", "last_at", "payload")
    chunk_rows = Chunk.objects.filter(**span).order_by("hour").values_list(*columns)
    rollup_rows = Rollup.objects.filter(**span).order_by("hour").values_list("hour", "codes", "payload")
    return Window(
        asset,
        last,
        {row[0]: ChunkRow(chunks.opened(asset, row[0], row[1], bytes(row[5])), *row[2:5]) for row in chunk_rows},
        {hour: (codes, bytes(payload)) for hour, codes, payload in rollup_rows},
        chunks.marks_of([asset]).get(asset, ()),
    )
