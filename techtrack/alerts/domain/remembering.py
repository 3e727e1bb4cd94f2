"""What the judge knows, as bytes that survive a restart.

byte 0       version (2)
bytes 1-4    CRC-32 of the rest, little-endian
rest         zstd frame of: uint32 header length, msgpack header (``Known`` without its columns), then the columns of
             all series one after the other, little-endian, in the order of the header
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

VERSION = 2
_FRONT = struct.Struct("<BI")
_LENGTH = struct.Struct("<I")


class CorruptMemory(Exception):
    """The bytes are not what was written."""


class Standing(msgspec.Struct, array_like=True, frozen=True):
    """Where a rule stands with an asset that is not quiet; ``history`` in hexadecimal, since it may be long.

    ``made_of`` is the rule's (``Watch.made_of``), 0 where nobody wrote it.
    """

    rule: int
    asset: int
    phase: str
    since: int
    seen: int
    clause: int | None
    value: float | None
    truth: int
    history: str
    raised: int | None = None
    made_of: int = 0


class Known(msgspec.Struct, frozen=True):
    """What is known at a position of the log: of each feature (by its text) columns by name, and what is not quiet.

    ``late`` are the states of late data, which are folded beside the others.
    """

    columns: dict[str, dict[str, npt.NDArray[Any]]]
    states: list[Standing]
    late: list[Standing]


class _Header(msgspec.Struct):
    features: dict[str, list[tuple[str, str, int]]]  # name, type and length of each column
    states: list[Standing]
    late: list[Standing]


def encode(known: Known) -> bytes:
    """Pack ``known``; ``decode`` returns it."""
    features = {
        text: [(name, column.dtype.newbyteorder("<").str, len(column)) for name, column in columns.items()]
        for text, columns in known.columns.items()
    }
    header = msgspec.msgpack.encode(_Header(features, known.states, known.late))
    columns = [column for columns in known.columns.values() for column in columns.values()]
    parts = [column.astype(column.dtype.newbyteorder("<")).tobytes() for column in columns]
    raw = b"".join([_LENGTH.pack(len(header)), header, *parts])
    # A compressor of its own each time: zstandard objects must not be shared between threads.
    body = zstandard.ZstdCompressor(level=1).compress(raw)
    return _FRONT.pack(VERSION, zlib.crc32(body)) + body


def decode(blob: bytes) -> Known:
    """Unpack what ``encode`` packed.

    Raises:
        CorruptMemory: a version that is not known, or bytes that were changed.

    """
    raw = _opened(blob)
    (length,) = _LENGTH.unpack_from(raw)
    end = _LENGTH.size + length
    try:
        header = msgspec.msgpack.decode(raw[_LENGTH.size : end], type=_Header)
    except msgspec.DecodeError as error:
        raise CorruptMemory(f"the header cannot be read: {error}") from error
    columns: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for text, told in header.features.items():
        columns[text] = {}
        for name, kind, size in told:
            columns[text][name] = np.frombuffer(raw, kind, size, end).copy()
            end += columns[text][name].nbytes
    return Known(columns, header.states, header.late)


def _opened(blob: bytes) -> bytes:
    if len(blob) < _FRONT.size or blob[0] != VERSION:
        raise CorruptMemory("not a version that is known")
    body = blob[_FRONT.size :]
    if zlib.crc32(body) != _FRONT.unpack_from(blob)[1]:
        raise CorruptMemory("the checksum is another")
    try:
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise CorruptMemory(f"the frame cannot be read: {error}") from error
