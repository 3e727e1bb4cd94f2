"""The log: one row per committed batch, and the watermark up to which it is folded into chunks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from django.db import connection

from techtrack.core.models import Head
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.store.base import LogEntry, Packed
from techtrack.telemetry.store.encoding import Corrupt, decode, encode
from techtrack.telemetry.store.sql import ask, execute

LANE = 0
HEAD = f"log:{LANE}"
STORE = "store"
# Written out: the query builder would cost as much as packing a thousand values.
_INSERT = """
INSERT INTO telemetry_segment (lane, position, kind, origin, received_at, readings, first_at, last_at,
    first_asset, last_asset, payload)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_FETCH = """
SELECT position, kind, origin, received_at, payload FROM telemetry_segment
WHERE lane = %s AND position > %s ORDER BY position LIMIT %s
"""
# The watermark, whether there are marks or hours set aside at all, and the log from a position on that is known
# already: in one statement, since every read begins with it. There is always a row, if only of nulls behind those.
_LOOK = """
SELECT (SELECT position FROM telemetry_logconsumer WHERE name = %s AND lane = %s) AS watermark,
    EXISTS (SELECT 1 FROM telemetry_qualitymark),
    EXISTS (SELECT 1 FROM telemetry_damage WHERE hour IS NOT NULL), found.*
FROM (SELECT 1 AS one) AS always LEFT JOIN (
    SELECT position, kind, origin, received_at, CASE WHEN position > %s THEN payload END AS payload
    FROM telemetry_segment WHERE lane = %s AND position >= %s ORDER BY position LIMIT %s
) AS found ON 1 = 1 ORDER BY found.position
"""
_log = logging.getLogger(__name__)


class Row(NamedTuple):
    """A segment as it lies in the database; ``received_at`` in the database's own form."""

    position: int
    kind: int
    origin: int
    received_at: object
    payload: bytes


def packed(batch: Batch) -> Packed:
    """Encode a batch; best done before the transaction, in which others wait."""
    return Packed(batch, encode(batch))


def append(batch: Batch | Packed, *, kind: Kind, origin: Origin, now: datetime) -> int:
    """Add a batch to the log, inside the caller's transaction; returns its position."""
    batch, payload = batch if isinstance(batch, Packed) else packed(batch)
    at = connection.ops.adapt_datetimefield_value(now)
    bounds = (batch.times.min(), batch.times.max(), batch.assets.min(), batch.assets.max())
    # Last of all before the insert: the row lock of the head is held until commit.
    position = Head.take(HEAD)
    row = (LANE, position, kind, origin, at, len(batch), *(int(bound) for bound in bounds), payload)
    execute(_INSERT, [row])
    return position


def head() -> int:
    """Return the position of the newest segment, 0 before the first."""
    return Head.current(HEAD)


def watermark() -> int:
    """Return the position up to which chunks hold everything, 0 before the first fold."""
    found = ask("SELECT position FROM telemetry_logconsumer WHERE name = %s AND lane = %s", STORE, LANE)
    return int(found[0][0]) if found else 0


class Look(NamedTuple):
    """The watermark, whether anything is marked or set aside, and segments from a position on.

    The segment that is known has no payload.
    """

    watermark: int
    marked: bool
    set_aside: bool
    rows: list[Row]


def look(known: int, *, limit: int) -> Look:
    """Look at the log from the segment at ``known`` on."""
    found = ask(_LOOK, STORE, LANE, known, LANE, known, limit)
    rows = [_row(row[3:]) for row in found if row[3] is not None]
    return Look(found[0][0] or 0, bool(found[0][1]), bool(found[0][2]), rows)


def fetch(*, after: int, limit: int) -> list[Row]:
    """Return up to ``limit`` segments behind a position, in order."""
    return [_row(row) for row in ask(_FETCH, LANE, after, limit)]


def _row(values: Sequence[Any]) -> Row:
    position, kind, origin, received_at, payload = values
    return Row(position, kind, origin, received_at, bytes(payload or b""))


def entry(row: Row) -> LogEntry:
    """Decode a segment; one whose bytes are damaged counts as empty, so that the others can be read."""
    try:
        batch = decode(row.payload)
    except Corrupt:
        _log.exception("segment %s is damaged and is left out", row.position)
        batch = Batch(np.empty(0, np.int64), np.empty(0, np.int64), {})
    return LogEntry(row.position, Kind(row.kind), Origin(row.origin), batch)
