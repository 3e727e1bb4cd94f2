"""Hours of readings as bytes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from techtrack.telemetry.domain.reading import Readings
from techtrack.telemetry.store.encoding import Corrupt, decode_chunk, encode_chunks
from tests.unit.telemetry.bits import flipped, same_readings

HOUR = 3_600_000_000
CODES = ("a", "b", "pm2_5")
ODD = [-0.0, 0.0, 5e-324, -5e-324, sys.float_info.max, -sys.float_info.max, 0.1, 1 / 3, 2.0**63, -(2.0**63), 1e15, 1e22]

decimals = st.builds(lambda number, power: number / 10**power, st.integers(-(10**6), 10**6), st.integers(0, 9))
narrow = st.floats(width=32, allow_nan=False, allow_infinity=False)
value = st.one_of(st.floats(allow_nan=False), st.sampled_from(ODD), decimals, narrow)
column_kinds = st.sampled_from([decimals, narrow, value, st.just(21.5), st.sampled_from([0.0, 1.0])])
clocks = st.one_of(
    st.integers(-(2**62), 2**62),
    st.integers(472_222 * HOUR, 472_223 * HOUR),
    st.integers(0, 3600).map(lambda second: 472_222 * HOUR + second * 1_000_000),
    st.integers(0, 3600).map(lambda minute: 472_222 * HOUR + minute * 1_007_000),
)
locks = st.dictionaries(clocks, st.one_of(st.none(), st.frozensets(st.sampled_from([*CODES, "é"]))), max_size=3)


@st.composite
def chunk(draw):
    times = sorted(draw(st.sets(clocks, max_size=20)))
    columns = {}
    for code in CODES:
        kind = draw(column_kinds)
        there = draw(st.sampled_from([st.just(value=True), st.just(value=False), st.booleans()]))
        drawn = [draw(kind) if draw(there) else np.nan for _ in times]
        columns[code] = np.array(drawn, np.float64)
    return Readings(np.array(times, np.int64), columns, draw(locks))


def encoded(chunks: list[Readings], codes: tuple[str, ...] = CODES) -> list[bytes]:
    starts = np.cumsum([0, *(len(readings.times) for readings in chunks)])[:-1]
    columns = {code: np.concatenate([np.empty(0), *(r.columns[code] for r in chunks)]) for code in codes}
    times = np.concatenate([np.empty(0, np.int64), *(readings.times for readings in chunks)])
    return encode_chunks(times, columns, starts, [readings.locked for readings in chunks])


def stored(readings: Readings) -> Readings:
    """What of a chunk is kept: columns with a value, rows with a value or without a lock."""
    absent = np.isnan([np.full(len(readings.times), np.nan), *readings.columns.values()]).all(axis=0)
    kept = np.array(
        [not (gone and at in readings.locked) for gone, at in zip(absent, readings.times, strict=True)], bool
    )
    columns = {code: column[kept] for code, column in readings.columns.items() if not np.isnan(column).all()}
    return Readings(readings.times[kept], columns, readings.locked)


def regular(rows: int, **columns: np.ndarray) -> Readings:
    return Readings(472_222 * HOUR + np.arange(rows) * 10_000_000, columns)


class TestChunk:
    @given(st.lists(chunk(), max_size=4))
    @example([Readings(columns={code: np.empty(0) for code in CODES}, locked={7: None})])
    def test_gives_back_every_bit(self, chunks):
        blobs = encoded(chunks)
        assert len(blobs) == len(chunks)
        for blob, readings in zip(blobs, chunks, strict=True):
            same_readings(decode_chunk(blob), stored(readings))

    @given(chunk(), st.frozensets(st.sampled_from([*CODES, "other"])))
    def test_unpacks_only_the_columns_asked_for(self, readings, codes):
        (blob,) = encoded([readings])
        expected = stored(readings)
        columns = {code: column for code, column in expected.columns.items() if code in codes}
        same_readings(decode_chunk(blob, codes), Readings(expected.times, columns, expected.locked))

    def test_holds_more_than_one_group_of_values(self):
        walk = np.round(np.cumsum(np.sin(np.arange(360 * 64))), 2)
        chunks = [regular(360, a=walk[at : at + 360], b=-walk[at : at + 360]) for at in range(0, len(walk), 360)]
        for blob, readings in zip(encoded(chunks, ("a", "b")), chunks, strict=True):
            same_readings(decode_chunk(blob), readings)

    def test_takes_more_values_than_a_group_in_one_chunk(self):
        readings = regular(100_000, a=np.arange(100_000) / 10)
        (blob,) = encoded([readings], ("a",))
        same_readings(decode_chunk(blob), readings)

    def test_keeps_negative_zeros_and_is_small_all_the_same(self):
        column = np.round(np.sin(np.arange(3600) / 500), 2)
        assert np.signbit(column[column == 0]).any()
        (blob,) = encoded([regular(3600, a=column)], ("a",))
        assert len(blob) < 1000
        same_readings(decode_chunk(blob), regular(3600, a=column))

    @pytest.mark.parametrize("rows", [1, 2, 3])
    def test_works_without_any_column(self, rows):
        (blob,) = encoded([regular(rows)], ())
        same_readings(decode_chunk(blob), regular(rows))

    def test_leaves_out_a_removed_reading_and_keeps_its_lock(self):
        times = np.array([1, 2, 3])
        readings = Readings(times, {"a": np.array([1.0, np.nan, 3.0])}, {2: None, 3: frozenset({"a", "b"})})
        found = decode_chunk(encoded([readings], ("a",))[0])
        same_readings(found, Readings(times[[0, 2]], {"a": np.array([1.0, 3.0])}, readings.locked))

    @pytest.mark.parametrize(
        ("column", "most"),
        [
            (np.full(3600, 21.5), 90),
            (np.arange(3600) * 0.25 + 7, 90),
            (np.round(np.sin(np.arange(3600) / 500), 2), 1000),
            (np.round(np.sin(np.arange(3600) / 50) * 1000, 1).astype(np.float32).astype(np.float64), 9600),
        ],
        ids=["constant", "counter", "slow", "float32"],
    )
    def test_is_small(self, column, most):
        (blob,) = encoded([regular(3600, a=column)], ("a",))
        assert len(blob) < most
        same_readings(decode_chunk(blob), regular(3600, a=column))

    @pytest.mark.parametrize("rows", [1, 300])
    def test_notices_each_changed_bit(self, rows):
        column = np.round(np.sin(np.arange(rows)), 2)
        (blob,) = encoded([Readings(regular(rows).times, {"a": column}, {5: None})], ("a",))
        assert flipped(blob, decode_chunk) == []

    def test_notices_each_missing_byte(self):
        (blob,) = encoded([regular(50, a=np.arange(50.0))], ("a",))
        for size in range(len(blob)):
            with pytest.raises(Corrupt):
                decode_chunk(blob[:size])

    def test_is_packed_by_many_threads_at_once(self):
        readings = [regular(360, a=np.round(np.sin(np.arange(360) / period), 2)) for period in range(1, 40)]
        with ThreadPoolExecutor(8) as pool:
            blobs = list(pool.map(lambda one: encoded([one], ("a",))[0], readings * 4))
            found = list(pool.map(decode_chunk, blobs))
        for one, again in zip(readings * 4, found, strict=True):
            same_readings(again, one)
