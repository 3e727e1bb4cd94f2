"""Statistics and newest values as bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from techtrack.telemetry.domain.statistics import STATISTICS
from techtrack.telemetry.store.encoding import (
    Corrupt,
    pack_days,
    pack_hours,
    pack_latest,
    unpack_days,
    unpack_hours,
    unpack_latest,
)
from tests.unit.telemetry.bits import flipped

HOUR = 3_600_000_000
shapes = st.tuples(st.integers(0, 4), st.integers(0, 4))
FLOATS = ("minimum", "maximum", "total", "m2", "first", "last", "integral")


@st.composite
def tables(draw):
    """Statistics [rows, codes] and the hours of the rows."""
    shape = draw(shapes)
    hours = draw(hn.arrays(np.int64, shape[0], elements=st.integers(-(2**31), 2**31 - 1)))
    found = np.zeros(shape, STATISTICS)
    found["count"] = draw(hn.arrays(np.int64, shape, elements=st.sampled_from([0, 1, 360, 2**32 - 1])))
    there = found["count"] > 0
    for name in FLOATS:
        found[name] = np.where(there, draw(hn.arrays(np.float64, shape, elements=st.floats(allow_nan=False))), 0)
    for name in ("first_at", "last_at"):
        offsets = draw(hn.arrays(np.int64, shape, elements=st.integers(0, HOUR - 1)))
        found[name] = np.where(there, hours[:, None] * HOUR + offsets, 0)
    return found, hours


def table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    hours = np.arange(rows) + 472_222
    found = np.zeros((rows, 2), STATISTICS)
    found["count"], found["total"] = 5, np.pi
    found["first_at"], found["last_at"] = hours[:, None] * HOUR, hours[:, None] * HOUR + 1
    return found, hours


class TestHours:
    @given(tables())
    def test_come_back_to_the_bit(self, drawn):
        found, hours = drawn
        blobs = pack_hours(found, hours)
        assert [len(blob) for blob in blobs] == [5 + 68 * found.shape[1]] * len(hours)
        assert unpack_hours(blobs, hours, found.shape[1]).tobytes() == found.tobytes()

    def test_tell_which_row_is_damaged(self):
        found, hours = table(3)
        blobs = pack_hours(found, hours)
        blobs[1] = blobs[1][:-1] + b"?"
        with pytest.raises(Corrupt) as caught:
            unpack_hours(blobs, hours, 2)
        assert caught.value.index == 1

    def test_notice_each_changed_bit(self):
        found, hours = table(1)
        (blob,) = pack_hours(found, hours)
        assert flipped(blob, lambda damaged: unpack_hours([damaged], hours, 2)) == []

    @pytest.mark.parametrize("off", [-1, HOUR * 2])
    def test_refuse_times_of_another_hour(self, off):
        found, hours = table(1)
        found["first_at"] += off
        with pytest.raises(ValueError, match="hour"):
            pack_hours(found, hours)

    def test_notice_a_row_of_another_number_of_codes(self):
        found, hours = table(2)
        blobs = pack_hours(found, hours)
        with pytest.raises(Corrupt):
            unpack_hours(blobs, hours, 3)


class TestDays:
    @given(tables())
    def test_come_back_to_the_bit(self, drawn):
        found, _ = drawn
        again = unpack_days(pack_days(found), found.shape[1])
        assert again.shape == found.shape
        assert again.tobytes() == found.tobytes()

    def test_are_packed_from_a_slice(self):
        found, _ = table(4)
        assert unpack_days(pack_days(found[::2, :1]), 1).tobytes() == found[::2, :1].tobytes()

    def test_notice_each_changed_bit(self):
        (blob,) = pack_days(table(1)[0])
        assert flipped(blob, lambda damaged: unpack_days([damaged], 2)) == []


class TestLatest:
    @given(shapes.flatmap(lambda s: st.tuples(hn.arrays(np.int64, s), hn.arrays(np.float64, s))))
    def test_comes_back_to_the_bit(self, drawn):
        times, values = drawn
        blobs = [pack_latest(*row) for row in zip(times, values, strict=True)]
        again = unpack_latest(blobs, times.shape[1])
        assert [part.tobytes() for part in again] == [times.tobytes(), values.tobytes()]
        assert [part.shape for part in again] == [times.shape, values.shape]

    def test_tells_which_row_is_damaged(self):
        blobs = [pack_latest(np.array([1]), np.array([2.0]))] * 3 + [b""]
        with pytest.raises(Corrupt) as caught:
            unpack_latest(blobs, 1)
        assert caught.value.index == 3

    def test_notices_each_changed_bit(self):
        blob = pack_latest(np.array([1, 2]), np.array([3.0, 4.0]))
        assert flipped(blob, lambda damaged: unpack_latest([damaged], 2)) == []
