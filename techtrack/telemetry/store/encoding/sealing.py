"""What every blob has in front: a version byte and a checksum; and the zstandard objects of each thread."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Collection

import zstandard

FRONT = struct.Struct("<BI")
# Level 1, but no matches under seven bytes: in offsets of a byte, shorter ones are chance and cost more than they save.
PARAMETERS = zstandard.ZstdCompressionParameters.from_level(1, min_match=7)


class Corrupt(Exception):
    """The bytes are not what was written; ``index`` tells which of several blobs, where there are several."""

    def __init__(self, detail: str, index: int | None = None) -> None:
        super().__init__(detail)
        self.index = index


class _Tools(threading.local):
    """Zstandard objects crash when threads share them."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(compression_params=PARAMETERS)
        self.decompressor = zstandard.ZstdDecompressor()


_tools = _Tools()


def seal(version: int, body: bytes) -> bytes:
    """Put version and checksum in front of ``body``."""
    # The checksum starts from the version and so covers it.
    return FRONT.pack(version, zlib.crc32(body, version)) + body


def unseal(blob: bytes, versions: Collection[int]) -> tuple[int, bytes]:
    """Give version and body of a sealed blob.

    Raises:
        Corrupt: not one of ``versions``, or bytes that were changed.
    """
    if len(blob) < FRONT.size:
        raise Corrupt(f"{len(blob)} bytes are no blob")
    version, checksum = FRONT.unpack_from(blob)
    body = blob[FRONT.size :]
    if version not in versions:
        raise Corrupt(f"version {version} is unknown")
    if zlib.crc32(body, version) != checksum:
        raise Corrupt(f"checksum of {len(blob)} bytes does not match")
    return version, body


def compress(raw: bytes) -> bytes:
    """Give ``raw`` as one zstd frame that tells its size."""
    return _tools.compressor.compress(raw)


def decompress(frame: bytes) -> bytes:
    """Undo ``compress``."""
    return _tools.decompressor.decompress(frame)
