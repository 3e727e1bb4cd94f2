"""An hour of an asset's readings as bytes, many hours at a time.

The body of a sealed chunk is a byte (1: the rest is a zstd frame, 0: it is plain) and: uint32 rows, uint16 columns,
uint32 bytes of names, uint32 bytes of locks; names (UTF-8, separated by spaces); locks (JSON: time to null or codes);
the block of times, its scale being a power of ten by which the integers are multiplied; a block for each name.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import zstandard

from techtrack.telemetry.domain.reading import Floats, Ints, Readings
from techtrack.telemetry.store.encoding.blocks import Bools, Reader, pack, pack_columns
from techtrack.telemetry.store.encoding.decimals import Places, Stretches
from techtrack.telemetry.store.encoding.sealing import Corrupt, compress, decompress, seal, unseal

VERSION = 1
PLAIN, ZSTD = b"\0", b"\1"
SMALL = 256  # bytes: below, a frame costs more time than it saves space
GROUP = 32768  # values at a time: their arrays stay in the processor's cache
UNITS = (6, 3, 0)  # powers of ten of a µs
_HEADER = struct.Struct("<IHII")

Lock = frozenset[str] | None
Locks = Mapping[int, Lock]


def encode_chunks(times: Ints, columns: Mapping[str, Floats], starts: Places, locks: Sequence[Locks]) -> list[bytes]:
    """Pack readings that are cut into chunks before each row of ``starts`` (ascending from 0), one blob for each.

    ``times`` (µs) ascend and are unique inside a chunk, NaN stands for absent, codes hold no space. ``locks`` has one
    entry a chunk. A row without any value is left out where its time is locked: the lock tells that it was removed.
    """
    if any(locks):
        times, columns, starts = _without_removed(times, columns, starts, locks)
    edges = np.append(starts, len(times))
    payloads: list[bytes] = []
    for first, last in _groups(edges.tolist(), max(len(columns), 1)):
        rows = slice(int(edges[first]), int(edges[last]))
        group = {code: column[rows] for code, column in columns.items()}
        payloads += _payloads(times[rows], group, edges[first : last + 1] - edges[first], locks[first:last])
    return [seal(VERSION, _body(payload)) for payload in payloads]


def decode_chunk(blob: bytes, codes: Collection[str] | None = None) -> Readings:
    """Unpack a chunk; with ``codes`` only these of its columns.

    Raises:
        Corrupt: the bytes are not what was written.
    """
    _, body = unseal(blob, (VERSION,))
    try:
        return _read(decompress(body[1:]) if body[:1] == ZSTD else body[1:], codes)
    except (ArithmeticError, LookupError, ValueError, struct.error, msgspec.MsgspecError, zstandard.ZstdError) as error:
        raise Corrupt(f"chunk of {len(blob)} bytes: {error}") from error


def _read(payload: bytes, codes: Collection[str] | None) -> Readings:
    rows, width, names_size, locks_size = _HEADER.unpack_from(payload)
    start = _HEADER.size
    middle, end = start + names_size, start + names_size + locks_size
    names = payload[start:middle].decode().split(" ") if width else []
    locked = _unpack_locks(payload[middle:end]) if locks_size else {}
    reader = Reader(payload, end, rows)
    times = reader.integers() if rows else np.empty(0, np.int64)
    columns = {}
    for name in names:
        if codes is None or name in codes:
            columns[name] = reader.floats()
        else:
            reader.skip()
    return Readings(times, columns, locked)


def _body(payload: bytes) -> bytes:
    return PLAIN + payload if len(payload) < SMALL else ZSTD + compress(payload)


def _groups(edges: Sequence[int], width: int) -> Iterator[tuple[int, int]]:
    """Give ranges of chunks of about GROUP values each."""
    first = 0
    for chunk in range(1, len(edges)):
        if chunk == len(edges) - 1 or (edges[chunk + 1] - edges[first]) * width > GROUP:
            yield first, chunk
            first = chunk


def _payloads(times: Ints, columns: Mapping[str, Floats], edges: Places, locks: Sequence[Locks]) -> list[bytes]:
    clocks = _time_blocks(times, edges)
    blocks = pack_columns(columns, edges)
    payloads = []
    for chunk, (rows, lock) in enumerate(zip(np.diff(edges).tolist(), locks, strict=True)):
        there = [(code, found) for code, found in zip(columns, blocks[chunk], strict=True) if found is not None]
        names = " ".join([code for code, _ in there]).encode()
        locked = _pack_locks(lock) if lock else b""
        header = _HEADER.pack(rows, len(there), len(names), len(locked))
        payloads.append(b"".join([header, names, locked, clocks[chunk], *(found for _, found in there)]))
    return payloads


def _time_blocks(times: Ints, edges: Places) -> list[bytes]:
    counts = edges[1:] - edges[:-1]
    filled = np.flatnonzero(counts)
    found = [b""] * len(counts)
    stretches = Stretches(edges[filled], counts[filled])
    if len(filled):
        integers, scales = _in_units(times, stretches)
        for chunk, block in zip(filled.tolist(), pack(integers, scales, stretches), strict=True):
            found[chunk] = block
    return found


def _in_units(times: Ints, stretches: Stretches) -> tuple[Ints, Places]:
    """Give times in the longest unit of which all times of a stretch are multiples, and the unit's power of ten."""
    scales = np.zeros(len(stretches.starts), np.intp)
    for power in UNITS[:-1]:
        quotients = times // 10**power
        whole = quotients * 10**power == times
        if whole.all():
            return quotients, np.full(len(scales), power)
        every = np.logical_and.reduceat(whole, stretches.starts)
        scales[every & (scales == 0)] = power
    return times // np.repeat(10**scales, stretches.counts), scales


def _without_removed(
    times: Ints, columns: Mapping[str, Floats], starts: Places, locks: Sequence[Locks]
) -> tuple[Ints, Mapping[str, Floats], Places]:
    """Leave out the rows that have no value and whose time is locked."""
    edges = np.append(starts, len(times))
    empty: Bools = np.ones(len(times), np.bool_)
    for column in columns.values():
        empty &= np.isnan(column)
    kept: Bools = np.ones(len(times), np.bool_)
    for chunk, lock in enumerate(locks):
        rows = slice(int(edges[chunk]), int(edges[chunk + 1]))
        if lock and empty[rows].any():
            kept[rows] = ~(empty[rows] & np.isin(times[rows], np.fromiter(lock, np.int64, len(lock))))
    if kept.all():
        return times, columns, starts
    before = np.append(0, np.cumsum(kept))
    return times[kept], {code: column[kept] for code, column in columns.items()}, before[starts]


def _pack_locks(locks: Locks) -> bytes:
    return msgspec.json.encode(
        {str(time): None if lock is None else sorted(lock) for time, lock in sorted(locks.items())}
    )


def _unpack_locks(packed: bytes) -> dict[int, Lock]:
    return msgspec.json.decode(packed, type=dict[int, frozenset[str] | None])
