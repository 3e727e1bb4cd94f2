"""How much is stored, how far folding has come, and who still needs the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min, Sum

from techtrack.telemetry.models import Chunk, Damage, DayRollup, Latest, LogConsumer, Rollup, Segment
from techtrack.telemetry.store import days, segments
from techtrack.telemetry.store.backlog import is_too_much
from techtrack.telemetry.store.segments import LANE, STORE

TABLES: dict[str, Any] = {"log": Segment, "chunks": Chunk, "rollups": Rollup, "days": DayRollup, "latest": Latest}
# A consumer that has not passed what came so long ago is not slow: nobody runs it any more.
DEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits behind the watermark to be folded; ``since`` is when the oldest of it was received."""

    segments: int
    readings: int
    since: datetime | None

    @property
    def is_too_much(self) -> bool:
        """Whether no more readings are taken in until some of it is folded."""
        return is_too_much(self.segments, self.readings)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the store: rows, and bytes with indexes and empty space (None: the database does not tell)."""

    name: str
    rows: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who reads the log: what waits for it, since when, and whether it seems to be gone for good."""

    name: str
    position: int
    behind: int
    since: datetime | None
    dead: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it.

    ``values`` counts every parameter of an hour for each of its readings; the bytes a value takes are those of
    chunks, rollups, days and latest values together.
    """

    tables: tuple[Table, ...]
    readings: int
    values: int
    bytes_per_value: float | None
    head: int
    watermark: int
    lag: Lag
    consumers: tuple[Consumer, ...]
    damaged_chunks: int
    damaged_segments: int
    assets: int
    assets_waiting_for_days: int


def lag() -> Lag:
    """Return what waits to be folded."""
    waiting = Segment.objects.filter(lane=LANE, position__gt=segments.watermark())
    found = waiting.aggregate(readings=Sum("readings"), since=Min("received_at"))
    return Lag(waiting.count(), found["readings"] or 0, found["since"])


def consumers(now: datetime) -> list[Consumer]:
    """Return who reads the log, in order of name."""
    head = segments.head()
    found = []
    for name, position in LogConsumer.objects.filter(lane=LANE).order_by("name").values_list("name", "position"):
        following = Segment.objects.filter(lane=LANE, position__gt=position).order_by("position")
        since = following.values_list("received_at", flat=True).first()
        dead = name != STORE and since is not None and since < now - DEAD
        found.append(Consumer(name, position, head - position, since, dead))
    return found


def figures(now: datetime) -> Figures:
    """Count everything; reads whole tables, some seconds where there are many millions of rows."""
    sizes = _sizes([model._meta.db_table for model in TABLES.values()])
    tables = tuple(
        Table(name, model.objects.count(), sizes.get(model._meta.db_table)) for name, model in TABLES.items()
    )
    readings, values = _values()
    total = sum(table.bytes or 0 for table in tables if table.name != "log")
    return Figures(
        tables=tables,
        readings=readings,
        values=values,
        bytes_per_value=total / values if values and sizes else None,
        head=segments.head(),
        watermark=segments.watermark(),
        lag=lag(),
        consumers=tuple(consumers(now)),
        damaged_chunks=Damage.objects.filter(hour__isnull=False).count(),
        damaged_segments=Damage.objects.filter(position__isnull=False).count(),
        assets=Latest.objects.count(),
        assets_waiting_for_days=days.waiting(now),
    )


def _values() -> tuple[int, int]:
    # Codes are apart by spaces; one with a slash is a part of a direction, and no value more.
    statement = """
SELECT COALESCE(SUM(c.readings), 0), COALESCE(SUM(CASE WHEN r.codes = '' THEN 0
    ELSE c.readings * (LENGTH(REPLACE(r.codes, '/', '')) - LENGTH(REPLACE(r.codes, ' ', '')) + 1) END), 0)
FROM telemetry_chunk c JOIN telemetry_rollup r ON r.asset_id = c.asset_id AND r.hour = c.hour
"""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        readings, values = cursor.fetchone()
    return int(readings), int(values)


def _sizes(names: list[str]) -> dict[str, int]:
    """Return the bytes of tables, where the database tells."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT t, pg_total_relation_size(t::regclass) FROM unnest(%s::text[]) AS t", [names])
        elif _knows_pages(cursor):
            statement = """
SELECT m.tbl_name, SUM(d.pgsize) FROM sqlite_master m JOIN dbstat d ON d.name = m.name AND d.aggregate = 1
GROUP BY m.tbl_name
"""
            cursor.execute(statement)
        else:
            return {}
        return {name: int(size) for name, size in cursor.fetchall() if name in names}


def _knows_pages(cursor: Any) -> bool:
    cursor.execute("SELECT COUNT(*) FROM pragma_module_list WHERE name = 'dbstat'")
    return bool(cursor.fetchone()[0])
