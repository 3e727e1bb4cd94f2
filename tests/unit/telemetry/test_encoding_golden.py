"""Bytes that were written by earlier versions stay readable, and outsiders can read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.reading import Batch, Readings
from techtrack.telemetry.domain.statistics import STATISTICS
from techtrack.telemetry.store.encoding import (
    decode,
    decode_chunk,
    encode,
    encode_chunks,
    pack_days,
    pack_hours,
    pack_latest,
    unpack_days,
    unpack_hours,
    unpack_latest,
)
from tests.unit.telemetry.bits import same_batch, same_readings
from tests.unit.telemetry.test_encoding_chunks import CODES, chunk, encoded, stored

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "telemetry"
PAGE = ROOT / "docs" / "reference" / "telemetry-encoding.md"
START = 1_700_000_000_000_000
HOUR = 3_600_000_000
OTHER_NAN = np.array([0x7FF8000000000ABC]).view(np.float64)[0]
ODD = np.array(
    [
        *[-0.0, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1 / 3, OTHER_NAN],
        *[2.2250738585072014e-308, 1e15, 9007199254740993.0, -1e-7, 0.0, 1.0, -1.0, 123456.789, 1e300, -0.0, 7.0],
        OTHER_NAN,
    ]
)


def small_batch() -> Batch:
    temperature = np.array([20.0 + index * 0.1 for index in range(20)])
    temperature[3] = np.nan
    times = np.array([START + index * index * 1_000_003 for index in range(20)])
    return Batch(np.array([7, -3, 2**62, *[5] * 17]), times, {"température": temperature, "odd": ODD})


def large_batch() -> Batch:
    number = np.arange(400)
    gaps = np.where(number % 7 == 0, np.nan, number % 100 / 10)
    return Batch(number % 40 + 1, START + number // 40 * 1_000_000, {"level": number % 3 / 4, "gaps": gaps})


def hour() -> Readings:
    number = np.arange(90)
    columns = {
        "decimal": (number * number % 100 - 50) / 100,
        "float32": (number / 7).astype(np.float32).astype(np.float64),
        "float64": number / 7,
        "signed": np.where(number % 9 == 0, -0.0, number / 10),
        "gaps": np.where(number % 4 == 0, np.nan, number * 1000.0),
        "constant": np.full(90, 21.5),
    }
    return Readings(
        START + number * 10_000_000 + number % 3 * 1000, columns, {START + 7: None, START: frozenset({"gaps"})}
    )


def statistics() -> np.ndarray:
    found = np.zeros((2, 2), STATISTICS)
    first = 472_222 * HOUR
    found[0, 1] = (3, -1.5, 2.5, 3.0, 8.0, -1.5, first, 2.5, first + HOUR - 1, 1 / 3)
    found[1, 0] = (1, 5e-324, 5e-324, 5e-324, 0.0, 5e-324, first + HOUR + 7, 5e-324, first + HOUR + 7, -0.0)
    return found


HOURS = np.array([472_222, 472_223])


def chunk_blob(readings: Readings) -> bytes:
    return encode_chunks(readings.times, readings.columns, np.array([0]), [readings.locked])[0]


WRITERS = {
    "segment-2-plain.bin": lambda: encode(small_batch().take(slice(0, 9))),
    "segment-2-zstd.bin": lambda: encode(small_batch()),
    "segment-2-blocks.bin": lambda: encode(large_batch()),
    "chunk-1.bin": lambda: chunk_blob(hour()),
    "chunk-1-plain.bin": lambda: chunk_blob(hour().between(START, START + 20_000_000)),
    "hour-1.bin": lambda: pack_hours(statistics(), HOURS)[0],
    "day-1.bin": lambda: pack_days(statistics())[1],
    "latest-1.bin": lambda: pack_latest(np.array([START, -5]), np.array([21.5, -0.0])),
}


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


class TestGolden:
    @pytest.mark.parametrize("name", ["segment-1.bin", "segment-2-zstd.bin"])
    def test_segments_of_some_readings_stay_readable(self, name):
        same_batch(decode(golden(name)), small_batch())

    def test_segments_of_few_readings_stay_readable(self):
        same_batch(decode(golden("segment-2-plain.bin")), small_batch().take(slice(0, 9)))

    def test_segments_of_many_readings_stay_readable(self):
        same_batch(decode(golden("segment-2-blocks.bin")), large_batch())

    def test_chunks_stay_readable(self):
        same_readings(decode_chunk(golden("chunk-1.bin")), hour())
        same_readings(decode_chunk(golden("chunk-1-plain.bin")), stored(hour().between(START, START + 20_000_000)))

    def test_statistics_stay_readable(self):
        assert unpack_hours([golden("hour-1.bin")], HOURS[:1], 2).tobytes() == statistics()[:1].tobytes()
        assert unpack_days([golden("day-1.bin")], 2).tobytes() == statistics()[1:].tobytes()

    def test_newest_values_stay_readable(self):
        times, values = unpack_latest([golden("latest-1.bin")], 2)
        assert times.tolist() == [[START, -5]]
        assert values.tobytes() == np.array([[21.5, -0.0]]).tobytes()

    @pytest.mark.parametrize("name", WRITERS)
    def test_what_is_written_now_has_the_same_version(self, name):
        assert WRITERS[name]()[0] == golden(name)[0]


def page_decoder() -> Callable[[bytes], Any]:
    """Run the program on the page, which is ours, and give its function."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, str(PAGE), "exec"), names)  # noqa: S102 -- what is on the page is what is tested
    return names["decode"]


def read(blob: bytes) -> Readings:
    times, columns, locks = DECODER(blob)
    whole = {int(at): None if codes is None else frozenset(codes) for at, codes in locks.items()}
    return Readings(times, columns, whole)


DECODER = page_decoder()


class TestPage:
    def test_tells_how_to_read_a_chunk(self):
        same_readings(read(golden("chunk-1.bin")), hour())

    @given(st.lists(chunk(), min_size=1, max_size=3))
    def test_tells_how_to_read_any_chunk(self, chunks):
        for blob, readings in zip(encoded(chunks, CODES), chunks, strict=True):
            same_readings(read(blob), stored(readings))

    def test_decoder_notices_damage(self):
        blob = golden("chunk-1.bin")
        with pytest.raises(AssertionError, match="damaged"):
            DECODER(blob[:-1] + bytes([blob[-1] ^ 1]))
