"""Readings and what is derived of them as bytes; docs/reference/telemetry-encoding.md tells how to read them."""

from techtrack.telemetry.store.encoding.chunk import decode_chunk, encode_chunks
from techtrack.telemetry.store.encoding.rollup import (
    pack_days,
    pack_hours,
    pack_latest,
    unpack_days,
    unpack_hours,
    unpack_latest,
)
from techtrack.telemetry.store.encoding.sealing import Corrupt
from techtrack.telemetry.store.encoding.segment import decode, encode

__all__ = [
    "Corrupt",
    "decode",
    "decode_chunk",
    "encode",
    "encode_chunks",
    "pack_days",
    "pack_hours",
    "pack_latest",
    "unpack_days",
    "unpack_hours",
    "unpack_latest",
]
