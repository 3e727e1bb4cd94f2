"""The store on the ordinary database: chunks and rollups, with the log behind the watermark laid over them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime

import numpy as np
from django.db import connection

from techtrack.telemetry.domain.directions import is_part
from techtrack.telemetry.domain.quality import Mark
from techtrack.telemetry.domain.reading import FOREVER, Batch, Ints, Kind, Origin, Readings
from techtrack.telemetry.domain.statistics import Statistics
from techtrack.telemetry.models import Forgotten, QualityMark
from techtrack.telemetry.store import chunks, latest, marking, rollups, segments
from techtrack.telemetry.store.base import Growth, LatestValue, LogEntry, Packed, Series, Span
from techtrack.telemetry.store.latest import Newest
from techtrack.telemetry.store.snapshot import snapshot
from techtrack.telemetry.store.tail import Tail, View


class DatabaseStore:
    """Answers from one snapshot: the tail of the log first, then what is folded.

    In this order nothing is missed or doubled even where the database gives no snapshot: what the tail
    held is in it or in a chunk that says so.
    """

    def __init__(self) -> None:
        self._tail = Tail()
        self._open = threading.local()

    @property
    def appends_at_once(self) -> bool:
        """Whether an append is one statement, which needs no transaction around it."""
        return connection.vendor == "postgresql"

    def packed(self, batch: Batch) -> Packed:
        return segments.packed(batch)

    def append(self, batch: Batch | Packed, *, kind: Kind, origin: Origin, now: datetime) -> int:
        return segments.append(batch, kind=kind, origin=origin, now=now)

    def mark(self, marks: Sequence[Mark], *, grown: Sequence[Growth] = (), now: datetime) -> list[int]:
        return marking.lay(marks, grown=grown, now=now)

    def forget(self, asset: int, *, now: datetime) -> int:
        QualityMark.objects.filter(asset_id=asset).delete()
        end = Batch(np.array([asset]), np.array([0]), {})
        position = segments.append(end, kind=Kind.FORGET, origin=Origin.LIVE, now=now)
        # Whoever has taken the asset for there a moment ago may still send: that is dropped for good too.
        Forgotten.objects.update_or_create(asset_id=asset, defaults={"position": position})
        return position

    def readings(
        self, assets: Iterable[int], *, span: Span = FOREVER, codes: Sequence[str] = ()
    ) -> dict[int, Readings]:
        with self.picture() as view:
            return chunks.readings(view, view.alive(assets), span, codes)

    def latest(self, assets: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
        return {
            asset: {code: LatestValue(*newest) for code, newest in values.items()}
            for asset, values in self.newest(assets).of_each().items()
        }

    def newest(self, assets: Iterable[int]) -> Newest:
        """Return what ``latest`` does as columns: for answers about a thousand assets."""
        with self.picture() as view:
            newest = latest.overlaid(view, list(assets))
            for asset in newest.doubtful:
                newest.put(
                    asset, latest.looked_up(view, asset, newest.codes(view, asset), latest.extent(view, [asset]))
                )
        return newest

    def statistics(self, assets: Iterable[int], *, codes: Sequence[str], edges: Ints) -> dict[Series, Statistics]:
        with self.picture() as view:
            found = rollups.statistics(view, view.alive(assets), codes, edges)
        return found if codes else {series: one for series, one in found.items() if not is_part(series[1])}

    def extent(self, assets: Iterable[int]) -> Span | None:
        with self.picture() as view:
            return latest.extent(view, view.alive(assets))

    def head(self) -> int:
        return segments.head()

    def log(self, *, after: int, limit: int) -> list[LogEntry]:
        return [segments.entry(row) for row in segments.fetch(after=after, limit=limit)]

    @contextmanager
    def picture(self) -> Iterator[View]:
        """Let all questions that this thread asks inside be answered from one snapshot; write nothing inside."""
        if view := getattr(self._open, "view", None):
            yield view
            return
        # Inside a transaction the log may show what will be rolled back: then nothing of it is kept.
        keep = not connection.in_atomic_block
        with ExitStack() as stack:
            with self._tail.lock:
                stack.enter_context(snapshot())
                view = self._tail.view(keep=keep)
            self._open.view = view
            stack.callback(setattr, self._open, "view", None)
            yield view


store = DatabaseStore()
