"""What tests of encodings share: equality to the bit, and damage of one bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from techtrack.telemetry.domain.reading import Batch, Readings
from techtrack.telemetry.store.encoding import Corrupt


def same_batch(found: Batch, expected: Batch) -> None:
    """Fail unless both batches are the same to the bit."""
    assert found.assets.tobytes() == expected.assets.tobytes()
    assert found.times.tobytes() == expected.times.tobytes()
    assert {code: column.tobytes() for code, column in found.values.items()} == {
        code: column.tobytes() for code, column in expected.values.items()
    }


def same_readings(found: Readings, expected: Readings) -> None:
    """Fail unless both are the same to the bit."""
    assert found.times.tobytes() == expected.times.tobytes()
    assert {code: column.tobytes() for code, column in found.columns.items()} == {
        code: column.tobytes() for code, column in expected.columns.items()
    }
    assert found.locked == expected.locked


def flipped(blob: bytes, decode: Callable[[bytes], Any]) -> list[int]:
    """Give the bits of ``blob`` whose change ``decode`` does not call Corrupt."""
    return [bit for bit in range(8 * len(blob)) if not _refused(blob, bit, decode)]


def _refused(blob: bytes, bit: int, decode: Callable[[bytes], Any]) -> bool:
    damaged = bytearray(blob)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        decode(bytes(damaged))
    except Corrupt:
        return True
    return False
