"""Batches as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.reading import Batch, Row
from techtrack.telemetry.store.encoding import CorruptSegment, decode, encode

rows = st.lists(
    st.tuples(
        st.integers(1, 2**63 - 1),
        st.integers(-(2**62), 2**62),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    ),
    max_size=30,
)


class TestEncoding:
    @given(rows)
    def test_gives_back_every_bit(self, rows):
        batch = Batch.of(Row(*row) for row in rows)
        again = decode(encode(batch))
        assert again.assets.tobytes() == batch.assets.tobytes()
        assert again.times.tobytes() == batch.times.tobytes()
        assert {c: v.tobytes() for c, v in again.values.items()} == {c: v.tobytes() for c, v in batch.values.items()}

    @pytest.mark.parametrize("place", [0, 1, 6, -1], ids=["version", "checksum", "body", "end"])
    def test_notices_one_changed_bit(self, place):
        blob = bytearray(encode(Batch.of([Row(1, 2, {"a": 3.0})])))
        blob[place] ^= 1
        with pytest.raises(CorruptSegment):
            decode(bytes(blob))
