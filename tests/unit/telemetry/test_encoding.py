"""Batches as bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.reading import Batch, Row
from techtrack.telemetry.store.encoding import Corrupt, decode, encode
from tests.unit.telemetry.bits import flipped, same_batch

rows = st.lists(
    st.tuples(
        st.integers(1, 2**63 - 1),
        st.integers(-(2**62), 2**62),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    ),
    max_size=30,
)


def many(**columns: np.ndarray) -> Batch:
    count = len(next(iter(columns.values())))
    return Batch(np.arange(count) * 3, np.arange(count) * 1_000_000, columns)


class TestEncoding:
    @given(rows)
    def test_gives_back_every_bit(self, rows):
        batch = Batch.of(Row(*row) for row in rows)
        same_batch(decode(encode(batch)), batch)

    @given(rows.filter(len), st.integers(8, 12))
    def test_gives_back_every_bit_of_many(self, rows, power):
        batch = Batch.of(Row(*row) for row in rows)
        times = 2**power // len(rows) + 1
        values = {code: np.tile(column, times) for code, column in batch.values.items()}
        batch = Batch(np.tile(batch.assets, times), np.tile(batch.times, times), values)
        same_batch(decode(encode(batch)), batch)

    @pytest.mark.parametrize("count", [1, 15, 16, 255, 256, 5000])
    def test_keeps_the_order_of_columns_and_the_bits_of_nan(self, count):
        column = np.arange(count, dtype=np.float64)
        column[count // 2] = np.array([0x7FF8000000000ABC]).view(np.float64)[0]
        batch = many(z=column, a=np.full(count, np.nan), m=np.round(np.sin(column), 2))
        again = decode(encode(batch))
        assert list(again.values) == ["z", "a", "m"]
        same_batch(again, batch)

    def test_packs_many_readings_small(self):
        values = np.round(20 + np.sin(np.arange(5000)), 2)
        assert len(encode(many(a=values, b=values + 1))) < 2 * 8 * 5000 / 4

    @pytest.mark.parametrize("count", [1, 20, 300])
    def test_notices_each_changed_bit(self, count):
        blob = encode(many(a=np.round(np.sin(np.arange(count)), 1)))
        assert flipped(blob, decode) == []

    def test_campaign_catches_a_decoder_that_looks_at_nothing(self):
        assert flipped(b"ab", lambda damaged: damaged) == list(range(16))

    @pytest.mark.parametrize("blob", [b"", b"\2", b"\1\0\0\0\0", b"\2\0\0\0\0", b"\3\0\0\0\0\0"])
    def test_refuses_what_is_no_segment(self, blob):
        with pytest.raises(Corrupt):
            decode(blob)
