"""Hours of readings as rows: what is stored of an asset, and that with the log laid over it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import TypeVar

import numpy as np

from techtrack.telemetry.domain.quality import Mark, Quality, in_force
from techtrack.telemetry.domain.reading import FOREVER, Readings
from techtrack.telemetry.models import Chunk
from techtrack.telemetry.store import damage
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.encoding import Corrupt, decode_chunk
from techtrack.telemetry.store.sql import among, ask, stream
from techtrack.telemetry.store.tail import HOUR, Overlay, View

T = TypeVar("T")
# SQLite takes 32,766 variables in one statement, unless its builder said otherwise.
AT_ONCE = 10_000
BIGGEST_HOUR = 2**31 - 1
_CHUNKS = """
SELECT asset_id, hour, through, payload FROM telemetry_chunk
WHERE asset_id {} AND hour >= %s AND hour <= %s ORDER BY asset_id, hour
"""
_MARKS = """
SELECT asset_id, code, start_at, end_at, quality, flag FROM telemetry_qualitymark
WHERE asset_id {} AND start_at < %s AND end_at > %s ORDER BY asset_id, position
"""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """A chunk as it lies in the database; ``damaged`` where its bytes cannot be read."""

    asset: int
    hour: int
    through: int
    readings: Readings
    damaged: bool = False


def hours_of(span: Span) -> tuple[int, int]:
    """Return the first and the last hour that a span touches, within what a column holds."""
    first, last = span[0] // HOUR, (span[1] - 1) // HOUR
    return max(first, -BIGGEST_HOUR), min(last, BIGGEST_HOUR)


def load(assets: Sequence[int], *, span: Span, codes: Sequence[str] = ()) -> Iterator[Stored]:
    """Read the chunks of assets that touch a span, by asset and hour; with ``codes`` only these columns."""
    first, last = hours_of(span)
    for ids in parts(assets):
        condition, params = among(ids)
        for asset, hour, through, payload in stream(_CHUNKS.format(condition), *params, first, last):
            yield opened(asset, hour, through, bytes(payload), codes)


def load_hours(assets: Sequence[int], hours: Sequence[int]) -> Iterator[Stored]:
    """Read the chunks of assets in some hours, by asset and hour."""
    # All hours of an asset come one after another, however many they are.
    for ids in parts(assets, AT_ONCE if len(hours) <= AT_ONCE else 1):
        for some in parts(hours):
            rows = Chunk.objects.filter(asset_id__in=ids, hour__in=some).order_by("asset_id", "hour")
            for asset, hour, through, payload in rows.values_list("asset_id", "hour", "through", "payload"):
                yield opened(asset, hour, through, bytes(payload))


def opened(asset: int, hour: int, through: int, payload: bytes, codes: Sequence[str] = ()) -> Stored:
    """Decode a chunk; one that cannot be read is reported, and the rest goes on."""
    try:
        return Stored(asset, hour, through, decode_chunk(payload, codes or None))
    except Corrupt:
        _log.exception("the chunk of asset %s in hour %s is damaged", asset, hour)
        damage.notice(asset, hour)
        return Stored(asset, hour, through, Readings(), damaged=True)


def composed(stored: Sequence[Stored], overlay: Overlay, view: View) -> Readings:
    """Lay what is behind the watermark over the chunks of one asset, each position once."""
    # A compactor is at work: these chunks hold more of the log than the watermark says.
    ahead = [chunk for chunk in stored if chunk.through > view.floor]
    if overlay and ahead:
        stored = [_advanced(chunk, overlay) if chunk in ahead else chunk for chunk in stored]
        overlay = overlay.outside(np.array([chunk.hour for chunk in ahead]))
    return overlay.laid_over(joined([chunk.readings for chunk in stored]))


def _advanced(chunk: Stored, overlay: Overlay) -> Stored:
    within = overlay.within((chunk.hour * HOUR, (chunk.hour + 1) * HOUR)).behind(chunk.through)
    return Stored(chunk.asset, chunk.hour, chunk.through, within.laid_over(chunk.readings))


def joined(parts: Sequence[Readings]) -> Readings:
    """Join readings of one asset that follow one another."""
    if len(parts) <= 1:
        return parts[0] if parts else Readings()
    times = np.concatenate([part.times for part in parts])
    columns: dict[str, np.ndarray] = {}
    start = 0
    for part in parts:
        end = start + len(part.times)
        for code, values in part.columns.items():
            if code not in columns:
                columns[code] = np.full(len(times), np.nan)
            columns[code][start:end] = values
        start = end
    locked = {time: lock for part in parts for time, lock in part.locked.items()}
    return Readings(times, columns, locked)


def marks_of(assets: Iterable[int], span: Span = FOREVER) -> Mapping[int, tuple[Mark, ...]]:
    """Return the marks of assets that touch a span; of those on a value the last one counts."""
    found: dict[int, list[Mark]] = {}
    for ids in parts(assets):
        condition, params = among(ids)
        for asset, code, start, end, quality, flag in ask(_MARKS.format(condition), *params, span[1], span[0]):
            found.setdefault(asset, []).append(Mark(asset, code or None, start, end, Quality(quality), flag))
    return {asset: tuple(in_force(marks)) for asset, marks in found.items()}


def parts(items: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    """Cut a list to what fits one statement."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def readings(view: View, assets: Sequence[int], span: Span, codes: Sequence[str] = ()) -> dict[int, Readings]:
    """Answer ``Store.readings`` in the snapshot in which ``view`` was taken."""
    found = {}
    stored = {asset: list(group) for asset, group in groupby(load(assets, span=span, codes=codes), lambda c: c.asset)}
    for asset in assets:
        there = composed(stored.get(asset, []), view.of(asset, span), view).between(*span)
        damaged = tuple(chunk.hour for chunk in stored.get(asset, []) if chunk.damaged)
        if len(there.times) or damaged:
            found[asset] = replace(there, damaged=damaged)
    marks = marks_of(found, span) if view.marked else {}
    return {asset: replace(readings, marks=marks.get(asset, ())) for asset, readings in found.items()}
