"""A committed batch as bytes.

The body of version 2 is a byte (0: the rest is plain, 1: it is a zstd frame, 2: a frame with blocks in place of plain
columns, see blocks.py) and: uint32 readings, uint16 columns, uint32 bytes of names; names (UTF-8, separated by NUL);
int64 assets, int64 times in µs, float64 values of each column. Version 1, still read, has a checksum that leaves the
version out, and is a zstd frame of: uint32 header length, header {"n": readings, "codes": [...]} in JSON, columns.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import msgspec
import numpy as np
import zstandard

from techtrack.telemetry.domain.reading import Batch, Floats
from techtrack.telemetry.store.encoding.blocks import Reader, pack, pack_columns
from techtrack.telemetry.store.encoding.decimals import Stretches
from techtrack.telemetry.store.encoding.sealing import FRONT, Corrupt, compress, decompress, seal, unseal

VERSION = 2
PLAIN, ZSTD, BLOCKS = 0, 1, 2
FEW, MANY = 16, 256  # readings: from the first on zstd pays, from the second on blocks do
_HEADER = struct.Struct("<IHI")
_LENGTH = struct.Struct("<I")
_NAN = np.array([np.nan]).view(np.int64)[0]


class _Header(msgspec.Struct):
    n: int
    codes: list[str]


def encode(batch: Batch) -> bytes:
    """Pack ``batch``; ``decode`` returns it bit for bit."""
    count, names = len(batch), "\0".join(batch.values).encode()
    header = _HEADER.pack(count, len(batch.values), len(names)) + names
    blocks = _blocks(batch) if count >= MANY else None
    if blocks is not None:
        return seal(VERSION, b"\2" + compress(header + blocks))
    columns = [batch.assets.astype("<i8", copy=False), batch.times.astype("<i8", copy=False)]
    columns += [column.astype("<f8", copy=False) for column in batch.values.values()]
    raw = header + b"".join([column.tobytes() for column in columns])
    return seal(VERSION, b"\1" + compress(raw) if count >= FEW else b"\0" + raw)


def decode(blob: bytes) -> Batch:
    """Unpack what ``encode`` packed, now or ever.

    Raises:
        Corrupt: an unknown version, or bytes that were changed.
    """
    try:
        if blob[:1] == b"\1":
            return _first_version(blob)
        _, body = unseal(blob, (VERSION,))
        payload = body[1:] if body[0] == PLAIN else decompress(body[1:])
        return _read(payload, in_blocks=body[0] == BLOCKS)
    except (ArithmeticError, LookupError, ValueError, struct.error, msgspec.MsgspecError, zstandard.ZstdError) as error:
        raise Corrupt(f"segment of {len(blob)} bytes: {error}") from error


def _read(payload: bytes, *, in_blocks: bool) -> Batch:
    count, width, size = _HEADER.unpack_from(payload)
    start = _HEADER.size + size
    names = payload[_HEADER.size : start].decode().split("\0") if width else []
    if not in_blocks:
        return _columns(payload, start, count, names)
    reader = Reader(payload, start, count)
    assets, times = reader.integers(), reader.integers()
    return Batch(assets, times, {name: reader.floats() for name in names})


def _columns(payload: bytes, start: int, count: int, names: Sequence[str]) -> Batch:
    size = 8 * count
    values = {
        name: np.frombuffer(payload, "<f8", count, start + size * index) for index, name in enumerate(names, start=2)
    }
    assets, times = (np.frombuffer(payload, "<i8", count, start + size * index) for index in (0, 1))
    return Batch(assets, times, values)


def _blocks(batch: Batch) -> bytes | None:
    """Give the batch as blocks, None where they would not keep it to the bit."""
    if any(_odd(column) for column in batch.values.values()):
        return None
    count = len(batch)
    keys = Stretches(np.array([0, count]), np.array([count, count]))
    blocks = pack(np.concatenate([batch.assets, batch.times]), np.zeros(2, np.intp), keys)
    for block in pack_columns(batch.values, np.array([0, count]))[0]:
        # A column without any value has no block.
        if block is None:
            return None
        blocks.append(block)
    return b"".join(blocks)


def _odd(column: Floats) -> bool:
    """Tell whether a column holds a NaN of other bits than the usual."""
    absent = column[np.isnan(column)]
    return len(absent) > 0 and bool((absent.view(np.int64) != _NAN).any())


def _first_version(blob: bytes) -> Batch:
    _, checksum = FRONT.unpack_from(blob)
    body = blob[FRONT.size :]
    if zlib.crc32(body) != checksum:
        raise Corrupt(f"checksum of {len(blob)} bytes does not match")
    raw = decompress(body)
    (length,) = _LENGTH.unpack_from(raw)
    start = _LENGTH.size + length
    header = msgspec.json.decode(raw[_LENGTH.size : start], type=_Header)
    return _columns(raw, start, header.n, header.codes)
