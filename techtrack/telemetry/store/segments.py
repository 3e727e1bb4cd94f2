"""The store on the ordinary database: the log of segments, and this process's decoded view of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import QuerySet

from techtrack.core.clock import EPOCH, from_micros
from techtrack.core.models import Head
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Readings, fold
from techtrack.telemetry.models import Segment
from techtrack.telemetry.store.base import LatestValue, LogEntry
from techtrack.telemetry.store.encoding import decode, encode

LANE = 0
HEAD = f"log:{LANE}"
PAGE = 500


@dataclass(slots=True)
class _View:
    """The log folded up to a position; ``waiting`` holds writes that no reader has asked for yet."""

    position: int = 0
    mark: datetime = EPOCH
    folded: dict[int, Readings] = field(default_factory=dict)
    waiting: dict[int, list[tuple[Kind, Batch]]] = field(default_factory=dict)

    def copy(self) -> _View:
        waiting = {asset: list(writes) for asset, writes in self.waiting.items()}
        return _View(self.position, self.mark, dict(self.folded), waiting)

    def readings(self, asset: int) -> Readings | None:
        for kind, write in _joined(self.waiting.pop(asset, [])):
            self.folded[asset] = fold(self.folded.get(asset, Readings()), write, kind)
        return self.folded.get(asset)


class SegmentStore:
    """Readings in ``Segment`` rows.

    Segments never change once committed, so each process keeps what it decoded and reads only
    what is new: one short query a request. Chunks will take over the older part of the log.
    """

    def __init__(self) -> None:
        self._view = _View()
        self._lock = threading.RLock()

    def append(self, batch: Batch, *, kind: Kind, origin: Origin, now: datetime) -> int:
        payload = encode(batch)
        bounds = _bounds(batch)
        # Last of all before the insert: the row lock of the head is held until commit.
        position = Head.take(HEAD)
        Segment.objects.create(
            lane=LANE, position=position, kind=kind, origin=origin, received_at=now, payload=payload, **bounds
        )
        return position

    def readings(self, assets: Iterable[int]) -> dict[int, Readings]:
        with self._lock:
            view = self._refreshed()
            found = {asset: view.readings(asset) for asset in assets}
        return {asset: readings for asset, readings in found.items() if readings is not None and len(readings.times)}

    def latest(self, assets: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
        newest = {asset: _latest(readings) for asset, readings in self.readings(assets).items()}
        return {asset: values for asset, values in newest.items() if values}

    def forget(self, asset: int) -> None:
        rows = Segment.objects.filter(lane=LANE, first_asset__lte=asset, last_asset__gte=asset)
        for segment in rows.iterator(PAGE):
            batch = decode(bytes(segment.payload))
            kept = batch.take(batch.assets != asset)
            rows.filter(position=segment.position).update(payload=encode(kept), readings=len(kept))

    def head(self) -> int:
        return Head.current(HEAD)

    def log(self, *, after: int, limit: int) -> list[LogEntry]:
        return [_entry(segment) for segment in _rows(after)[:limit]]

    def _refreshed(self) -> _View:
        # Inside a transaction the log may show what will be rolled back: then nothing of it is kept.
        view = self._view.copy() if connection.in_atomic_block else self._view
        if view.position and not _still_there(view):
            # The database was restored or emptied under us.
            view.__init__()  # type: ignore[misc]
        while segments := list(_rows(view.position)[:PAGE]):
            for segment in segments:
                for asset, write in decode(bytes(segment.payload)).by_asset():
                    view.waiting.setdefault(asset, []).append((Kind(segment.kind), write))
                view.position, view.mark = segment.position, segment.received_at
        return view


def _rows(after: int) -> QuerySet[Segment]:
    return Segment.objects.filter(lane=LANE, position__gt=after).order_by("position")


def _still_there(view: _View) -> bool:
    return Segment.objects.filter(lane=LANE, position=view.position, received_at=view.mark).exists()


def _entry(segment: Segment) -> LogEntry:
    return LogEntry(segment.position, Kind(segment.kind), Origin(segment.origin), decode(bytes(segment.payload)))


def _bounds(batch: Batch) -> dict[str, int]:
    return {
        "readings": len(batch),
        "first_at": int(batch.times.min()),
        "last_at": int(batch.times.max()),
        "first_asset": int(batch.assets.min()),
        "last_asset": int(batch.assets.max()),
    }


def _joined(writes: list[tuple[Kind, Batch]]) -> list[tuple[Kind, Batch]]:
    """Join neighbouring device writes, so that a thousand small segments are folded at once."""
    joined: list[tuple[Kind, list[Batch]]] = []
    for kind, write in writes:
        if joined and joined[-1][0] is kind is Kind.READINGS:
            joined[-1][1].append(write)
        else:
            joined.append((kind, [write]))
    return [(kind, _concatenated(batches)) for kind, batches in joined]


def _concatenated(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    codes = dict.fromkeys(code for batch in batches for code in batch.values)
    absent = [np.full(len(batch), np.nan) for batch in batches]
    return Batch(
        np.concatenate([batch.assets for batch in batches]),
        np.concatenate([batch.times for batch in batches]),
        {
            code: np.concatenate([b.values.get(code, nothing) for b, nothing in zip(batches, absent, strict=True)])
            for code in codes
        },
    )


def _latest(readings: Readings) -> dict[str, LatestValue]:
    newest = {}
    for code in readings.columns:
        times, values = readings.series(code)
        if len(times):
            newest[code] = LatestValue(from_micros(int(times[-1])), float(values[-1]))
    return newest


store = SegmentStore()
