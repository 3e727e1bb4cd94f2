"""A batch as bytes: version, checksum, and a zstd frame of a JSON header and plain little-endian columns.

byte 0       version (1)
bytes 1-4    CRC-32 of the rest, little-endian
rest         zstd frame of: uint32 header length, header {"n": readings, "codes": [...]},
             int64[n] assets, int64[n] times in µs, then float64[n] per code (NaN: absent)
"""

from __future__ import annotations

import struct
import zlib

import msgspec
import numpy as np
import zstandard

from techtrack.telemetry.domain.reading import Batch

VERSION = 1
_FRONT = struct.Struct("<BI")
_LENGTH = struct.Struct("<I")


class CorruptSegment(Exception):
    """The bytes are not what was written."""


class _Header(msgspec.Struct):
    n: int
    codes: list[str]


def encode(batch: Batch) -> bytes:
    """Pack ``batch``; ``decode`` returns it bit for bit."""
    header = msgspec.json.encode(_Header(len(batch), list(batch.values)))
    columns = [batch.assets.astype("<i8"), batch.times.astype("<i8")]
    columns += [column.astype("<f8") for column in batch.values.values()]
    raw = b"".join([_LENGTH.pack(len(header)), header, *(column.tobytes() for column in columns)])
    # A compressor of its own each time: zstandard objects must not be shared between threads.
    body = zstandard.ZstdCompressor(level=1).compress(raw)
    return _FRONT.pack(VERSION, zlib.crc32(body)) + body


def decode(blob: bytes) -> Batch:
    """Unpack what ``encode`` packed.

    Raises:
        CorruptSegment: another version, or bytes that were changed.
    """
    version, checksum = _FRONT.unpack_from(blob)
    body = blob[_FRONT.size :]
    if version != VERSION or zlib.crc32(body) != checksum:
        raise CorruptSegment(f"version {version}, {len(blob)} bytes")
    raw = zstandard.ZstdDecompressor().decompress(body)
    (length,) = _LENGTH.unpack_from(raw)
    start = _LENGTH.size + length
    header = msgspec.json.decode(raw[_LENGTH.size : start], type=_Header)
    size = 8 * header.n
    parts = [raw[start + size * i : start + size * (i + 1)] for i in range(2 + len(header.codes))]
    values = {code: np.frombuffer(part, "<f8") for code, part in zip(header.codes, parts[2:], strict=True)}
    return Batch(np.frombuffer(parts[0], "<i8"), np.frombuffer(parts[1], "<i8"), values)
