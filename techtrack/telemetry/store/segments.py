"""The log: one row per committed batch, and the watermark up to which it is folded into chunks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from django.db import connection

from techtrack.core.clock import to_micros
from techtrack.core.models import Head
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.store.base import LogEntry, Packed
from techtrack.telemetry.store.encoding import Corrupt, decode, encode
from techtrack.telemetry.store.encoding.sealing import FRONT
from techtrack.telemetry.store.sql import ask, execute

LANE = 0
HEAD = f"log:{LANE}"
STORE = "store"
_COLUMNS = "lane, position, kind, origin, received_at, readings, first_at, last_at, first_asset, last_asset, payload"
# Written out: the query builder would cost as much as packing a thousand values.
_INSERT = f"INSERT INTO telemetry_segment ({_COLUMNS}) {{rows}}"
# Where the database can, with the position in one statement: a way there and back less while others wait.
_TAKE_AND_INSERT = f"""
WITH head AS ({Head.TAKE_MANY})
INSERT INTO telemetry_segment ({_COLUMNS})
SELECT %s, head.last, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM head RETURNING position
"""  # noqa: S608 - ours
_FETCH = """
SELECT position, kind, origin, received_at, payload FROM telemetry_segment
WHERE lane = %s AND position > %s ORDER BY position LIMIT %s
"""
# The watermark, whether there are marks or hours set aside at all, where the last asset was forgotten, and the log
# from a position on that is known already (of that one the version and the checksum): in one statement, since every
# read begins with it. There is always a row, if only of nulls behind those.
_LOOK = """
SELECT (SELECT position FROM telemetry_logconsumer WHERE name = %s AND lane = %s) AS watermark,
    EXISTS (SELECT 1 FROM telemetry_qualitymark),
    EXISTS (SELECT 1 FROM telemetry_damage WHERE hour IS NOT NULL),
    (SELECT MAX(position) FROM telemetry_forgotten), found.*
FROM (SELECT 1 AS one) AS always LEFT JOIN (
    SELECT position, kind, origin, received_at,
        CASE WHEN position > %s THEN payload ELSE substr(payload, 1, %s) END AS payload
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

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells it from the segment of another history at the same position, as of a restored database."""
        return (self.position, self.received_at, self.payload[: FRONT.size])


def packed(batch: Batch) -> Packed:
    """Encode a batch; best done before the transaction, in which others wait."""
    return Packed(batch, encode(batch))


def append(batch: Batch | Packed, *, kind: Kind, origin: Origin, now: datetime, positions: int = 1) -> int:
    """Add a batch to the log, inside the caller's transaction; returns its position.

    One that takes several ``positions`` stands at the last of them.
    """
    batch, payload = batch if isinstance(batch, Packed) else packed(batch)
    at = connection.ops.adapt_datetimefield_value(now)
    bounds = (batch.times.min(), batch.times.max(), batch.assets.min(), batch.assets.max())
    row = (kind, origin, at, len(batch), *(int(bound) for bound in bounds), payload)
    # As late as can be: the row lock of the head is held until commit.
    if connection.vendor == "postgresql":
        return int(ask(_TAKE_AND_INSERT, HEAD, positions, LANE, *row)[0][0])
    position = Head.take_many(HEAD, positions)[-1]
    execute(_INSERT, [(LANE, position, *row)])
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

    ``forgotten`` is the position at which the last asset was. The payload of the segment that is known is cut short.
    """

    watermark: int
    marked: bool
    set_aside: bool
    forgotten: int
    rows: list[Row]


def look(known: int, *, limit: int) -> Look:
    """Look at the log from the segment at ``known`` on."""
    found = ask(_LOOK, STORE, LANE, known, FRONT.size, LANE, known, limit)
    rows = [_row(row[4:]) for row in found if row[4] is not None]
    watermark, marked, set_aside, forgotten = found[0][:4]
    return Look(watermark or 0, bool(marked), bool(set_aside), forgotten or 0, rows)


def forgotten() -> frozenset[int]:
    """Name all assets that were deleted."""
    return frozenset(asset for (asset,) in ask("SELECT asset_id FROM telemetry_forgotten"))


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
    return LogEntry(row.position, Kind(row.kind), Origin(row.origin), batch, _micros(row.received_at))


def _micros(moment: object) -> int:
    # SQLite keeps times as text in UTC, and says no zone.
    at = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))
