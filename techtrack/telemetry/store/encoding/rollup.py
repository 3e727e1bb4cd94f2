"""Statistics and newest values as bytes: records side by side, so that many rows are unpacked at once."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.domain.statistics import STATISTICS, Statistics
from techtrack.telemetry.store.encoding.sealing import FRONT, Corrupt, seal

VERSION = 1
HOUR = 3_600_000_000  # µs
# Times in µs from the start of the hour.
HOURLY = np.dtype(
    [
        (name, {"count": "<u4", "first_at": "<u4", "last_at": "<u4"}.get(name, "<f8"))
        for name in ("count", "first_at", "last_at", "minimum", "maximum", "total", "m2", "first", "last", "integral")
    ]
)
NEWEST = np.dtype([("time", "<i8"), ("value", "<f8")])
_PLAIN = ("minimum", "maximum", "total", "m2", "first", "last", "integral")
_TIMES = ("first_at", "last_at")


def pack_hours(statistics: Statistics, hours: Ints) -> list[bytes]:
    """Pack ``statistics`` [rows, codes] of ``hours`` [rows] (since 1970, UTC): a blob a row; no values: count 0.

    Raises:
        ValueError: a time lies outside its hour.
    """
    packed = np.zeros(statistics.shape, HOURLY)
    packed["count"] = statistics["count"]
    there = statistics["count"] > 0
    for name in _PLAIN:
        packed[name] = statistics[name]
    for name in _TIMES:
        offsets = np.where(there, statistics[name] - hours[:, None] * HOUR, 0)
        if offsets.view(np.uint64).max(initial=0) >= HOUR:
            raise ValueError(f"{name} lies outside its hour")
        packed[name] = offsets
    return _sealed(packed)


def unpack_hours(
    blobs: Sequence[bytes], hours: Ints, codes: int, *, only: Sequence[int] | slice = slice(None)
) -> Statistics:
    """Undo ``pack_hours``: statistics [rows, codes], of the codes at ``only`` where that is given.

    Raises:
        Corrupt: the row at its ``index`` is not what was written.
    """
    packed = _unsealed(blobs, HOURLY, codes)[:, only]
    found = np.empty(packed.shape, STATISTICS)
    found["count"] = packed["count"]
    there = packed["count"] > 0
    for name in _PLAIN:
        found[name] = packed[name]
    for name in _TIMES:
        found[name] = np.where(there, packed[name] + hours[:, None] * HOUR, 0)
    return found


def pack_days(statistics: Statistics) -> list[bytes]:
    """Pack ``statistics`` [rows, codes] of whatever stretches: a blob a row."""
    return _sealed(np.ascontiguousarray(statistics, STATISTICS))


def unpack_days(blobs: Sequence[bytes], codes: int) -> Statistics:
    """Undo ``pack_days``: statistics [rows, codes].

    Raises:
        Corrupt: the row at its ``index`` is not what was written.
    """
    return _unsealed(blobs, STATISTICS, codes)


def pack_latest(times: Ints, values: Floats) -> bytes:
    """Pack the newest time (µs) and value of each of an asset's parameters."""
    packed = np.empty(len(times), NEWEST)
    packed["time"], packed["value"] = times, values
    return seal(VERSION, packed.tobytes())


def unpack_latest(blobs: Sequence[bytes], codes: int) -> tuple[Ints, Floats]:
    """Undo ``pack_latest`` for assets with the same number of ``codes``: times and values [rows, codes].

    Raises:
        Corrupt: the row at its ``index`` is not what was written.
    """
    packed = _unsealed(blobs, NEWEST, codes)
    return np.ascontiguousarray(packed["time"]), np.ascontiguousarray(packed["value"])


def _sealed(records: npt.NDArray[np.void]) -> list[bytes]:
    raw, size = records.tobytes(), records.shape[1] * records.itemsize
    return [seal(VERSION, raw[size * row : size * (row + 1)]) for row in range(len(records))]


def _unsealed(blobs: Sequence[bytes], record: np.dtype[np.void], codes: int) -> npt.NDArray[np.void]:
    """Check each blob and give the records [rows, codes]."""
    size = FRONT.size + codes * record.itemsize
    lengths = list(map(len, blobs))
    if lengths.count(size) < len(lengths):
        index = next(index for index, length in enumerate(lengths) if length != size)
        raise Corrupt(f"{lengths[index]} bytes where {size} were written", index)
    row = np.dtype([("version", "u1"), ("checksum", "<u4"), ("records", record, (codes,))])
    rows = np.frombuffer(b"".join(blobs), row)
    bodies = map(itemgetter(slice(FRONT.size, None)), blobs)
    found = np.fromiter(map(zlib.crc32, bodies, repeat(VERSION)), np.uint32, len(blobs))
    bad = np.flatnonzero((found != rows["checksum"]) | (rows["version"] != VERSION))
    if len(bad):
        raise Corrupt(f"version, or checksum of {size} bytes, does not match", int(bad[0]))
    return rows["records"]
