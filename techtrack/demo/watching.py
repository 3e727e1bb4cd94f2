"""What the demo's console tells of the engine: how history lies in the store, what comes in, how far the judge is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from django.db import DatabaseError, connection, connections
from django.db.models import Max, Sum

from techtrack.alerts.judge import NAME as JUDGE
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.models import Segment
from techtrack.telemetry.store import compaction
from techtrack.telemetry.store.compaction import Overtaken

MEGABYTE = 1_000_000
DENSE = "toco-toucan"
_DENSITY = """
SELECT SUM(LENGTH(c.payload)) * 1.0 / SUM(c.readings * (LENGTH(r.codes) - LENGTH(REPLACE(r.codes, ' ', '')) + 1))
FROM telemetry_chunk c JOIN telemetry_rollup r ON r.asset_id = c.asset_id AND r.hour = c.hour
JOIN assets_asset a ON a.id = c.asset_id WHERE a.key = %s AND r.codes <> ''
"""


class Folding:
    """Folds the plant's history in a thread while the plant runs; the platform itself would wait for the full hour.

    The platform's own compactor may do the same at the same time: one of them finds itself overtaken, and ends.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._told: list[str] = []
        self._thread = threading.Thread(target=self._run, name="demo folding", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def news(self) -> list[str]:
        """Return, once, what there is to tell of a fold that has ended."""
        told, self._told = self._told, []
        return told

    def _run(self) -> None:
        began = time.monotonic()
        try:
            while compaction.compact(self._now(), force=True) is not None:
                pass
            self._told = [*stored(self._now()), f"It was folded in {time.monotonic() - began:.0f} s while you watched."]
        except (Overtaken, DatabaseError):
            # The platform's compactor does it, now or at the full hour; nothing of the demo depends on who was first.
            self._told = list(stored(self._now()))
        finally:
            connections.close_all()


def stored(now: datetime) -> Iterator[str]:
    """Tell how what has been measured lies in the store, one sentence a line."""
    figures = telemetry.figures(now)
    sizes = {table.name: table.bytes for table in figures.tables}
    chunks, rollups = sizes["chunks"], sizes["rollups"]
    yield f"The plant's history: {figures.values:,} values of {figures.assets:,} assets, folded into hours."
    if chunks and rollups:
        yield (
            f"To the last bit they take {chunks / MEGABYTE:.1f} MB, their statistics by the hour "
            f"{rollups / MEGABYTE:.1f} MB: most were measured once an hour, and then an hour is a row for one reading."
        )
    with connection.cursor() as cursor:
        cursor.execute(_DENSITY, [DENSE])
        (density,) = cursor.fetchone()
    if density:
        yield f"Measured every few seconds, as on {DENSE}, a value takes {density:.1f} bytes instead of 8."


class Inflow:
    """Looks once in a while what has come into the log meanwhile, and whether the judge has passed it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at, self._position = clock(), telemetry.head()

    def told(self, now: datetime) -> str:
        """Tell how many readings a second have come since the last look, and how far behind them the judge is."""
        came = Segment.objects.filter(position__gt=self._position).aggregate(
            count=Sum("readings"), head=Max("position")
        )
        at = self._clock()
        rate = (came["count"] or 0) / max(at - self._at, 0.001)
        self._at, self._position = at, came["head"] or self._position
        return f"{rate:,.0f} readings/s come in, {self._judged(now)}"

    def _judged(self, now: datetime) -> str:
        waiting = Segment.objects.filter(position__gt=telemetry.consumed(JUDGE) or 0).order_by("position")
        oldest = waiting.values_list("received_at", flat=True).first()
        if oldest is None:
            return "all of them judged"
        return f"the judge {max(0, (now - oldest).total_seconds()) * 1000:.0f} ms behind"
