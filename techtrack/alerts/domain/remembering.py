"""What the judge has seen, as bytes that survive a restart.

byte 0       version (1)
bytes 1-4    CRC-32 of the rest, little-endian
rest         zstd frame of: uint32 header length, JSON header, then int64 columns, little-endian: per parameter
             the asset ids, the newest times seen (µs) and the rules; then of each (rule, asset) that has seen
             something else than its series the rule, the asset and the newest time

Before version 1 it was a msgpack list of (rule, asset, newest time), which is still read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

Ints = npt.NDArray[np.int64]
VERSION = 1
_FRONT = struct.Struct("<BI")
_LENGTH = struct.Struct("<I")
# The first byte of a msgpack list.
_LISTS = frozenset([*range(0x90, 0xA0), 0xDC, 0xDD])


class CorruptMemory(Exception):
    """The bytes are not what was written."""


class Series(NamedTuple):
    """The series of one parameter: asset ids, the newest time seen of each, and the rules that saw it."""

    assets: Ints
    times: Ints
    rules: Ints


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen, by parameter; ``apart`` are the (rule, asset) that have seen something else, with its time.

    ``series`` is None in the old form, which lists every (rule, asset) in ``apart``.
    """

    series: Mapping[str, Series] | None
    apart: Mapping[tuple[int, int], int] = field(default_factory=dict)


class _Header(msgspec.Struct):
    series: list[tuple[str, int, int]]  # parameter, number of assets, number of rules
    apart: int


def encode(seen: Seen) -> bytes:
    """Pack ``seen``; ``decode`` returns it."""
    series = seen.series or {}
    counts = [(code, len(one.assets), len(one.rules)) for code, one in series.items()]
    header = msgspec.json.encode(_Header(counts, len(seen.apart)))
    apart = np.array([(*key, time) for key, time in seen.apart.items()], np.int64).reshape(-1, 3)
    columns = [*(column for one in series.values() for column in one), *apart.T]
    raw = b"".join([_LENGTH.pack(len(header)), header, *(column.astype("<i8").tobytes() for column in columns)])
    # A compressor of its own each time: zstandard objects must not be shared between threads.
    body = zstandard.ZstdCompressor(level=1).compress(raw)
    return _FRONT.pack(VERSION, zlib.crc32(body)) + body


def decode(blob: bytes) -> Seen:
    """Unpack what ``encode`` packed, or an earlier form.

    Raises:
        CorruptMemory: a version that is not known, or bytes that were changed.

    """
    if blob[:1] and blob[0] in _LISTS:
        listed = msgspec.msgpack.decode(blob, type=list[tuple[int, int, int]])
        return Seen(None, {(rule, asset): time for rule, asset, time in listed})
    raw = _opened(blob)
    (length,) = _LENGTH.unpack_from(raw)
    header = msgspec.json.decode(raw[_LENGTH.size : _LENGTH.size + length], type=_Header)
    sizes = [size for _, assets, rules in header.series for size in (assets, assets, rules)] + [header.apart] * 3
    columns = np.split(np.frombuffer(raw, "<i8", offset=_LENGTH.size + length), np.cumsum(sizes)[:-1])
    codes = [code for code, _, _ in header.series]
    series = {code: Series(*columns[3 * place : 3 * place + 3]) for place, code in enumerate(codes)}
    apart = zip(*(column.tolist() for column in columns[-3:]), strict=True)
    return Seen(series, {(rule, asset): time for rule, asset, time in apart})


def _opened(blob: bytes) -> bytes:
    version, checksum = _FRONT.unpack_from(blob) if len(blob) > _FRONT.size else (0, 0)
    body = blob[_FRONT.size :]
    if version != VERSION or zlib.crc32(body) != checksum:
        raise CorruptMemory(f"version {version}, {len(blob)} bytes")
    return zstandard.ZstdDecompressor().decompress(body)
