"""The fold of writes into readings, held against the in-memory twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Readings, Row, fold
from techtrack.telemetry.store.memory import MemoryStore
from tests.factories import NOW

CODES = ("speed", "temperature", "vibration")
values = st.dictionaries(st.sampled_from(CODES), st.floats(-9, 9), min_size=1, max_size=3)
device_write = st.tuples(st.just(Kind.READINGS), st.lists(st.tuples(st.integers(1, 6), values), min_size=1, max_size=5))
correction = st.tuples(
    st.sampled_from([Kind.REPLACE, Kind.PATCH]), st.lists(st.tuples(st.integers(1, 6), values), min_size=1, max_size=1)
)
removal = st.tuples(st.just(Kind.REMOVE), st.lists(st.tuples(st.integers(1, 6), st.just({})), min_size=1, max_size=1))
writes = st.lists(st.one_of(device_write, correction, removal), max_size=12)


def as_rows(readings: Readings) -> dict[int, dict[str, float]]:
    present = readings.between(-100, 100)
    return {int(time): present.at(index) for index, time in enumerate(present.times)}


class TestFold:
    @given(writes)
    def test_agrees_with_the_twin_whatever_the_order_of_writes(self, history):
        twin, known = MemoryStore(), Readings()
        for kind, rows in history:
            batch = Batch.of(Row(7, time, values) for time, values in rows)
            twin.append(batch, kind=kind, origin=Origin.LIVE, now=NOW)
            known = fold(known, batch, kind)
        expected = twin.readings([7]).get(7, Readings())
        assert as_rows(known) == as_rows(expected)

    def test_notices_a_planted_bug(self):
        """A fold that forgets the lock of a correction differs from the twin."""
        twin, known = MemoryStore(), Readings()
        for kind, value in ((Kind.REPLACE, 1.0), (Kind.READINGS, 2.0)):
            batch = Batch.of([Row(7, 1, {"speed": value})])
            twin.append(batch, kind=kind, origin=Origin.LIVE, now=NOW)
            known = fold(Readings(known.times, known.columns), batch, kind)
        assert as_rows(known) != as_rows(twin.readings([7])[7])

    def test_keeps_every_bit_of_a_value(self):
        odd = [-0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
        known = fold(Readings(), Batch.of(Row(7, i, {"x": value}) for i, value in enumerate(odd)), Kind.READINGS)
        assert known.columns["x"].tobytes() == np.array(odd).tobytes()


class TestBatch:
    @given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9), values), max_size=20))
    def test_gives_back_its_rows_by_asset_in_the_order_of_writing(self, rows):
        batch = Batch.of(Row(*row) for row in rows)
        split = [(asset, list(part.rows())) for asset, part in batch.by_asset()]
        expected = {asset: [Row(*row) for row in rows if row[0] == asset] for asset in sorted({row[0] for row in rows})}
        assert split == list(expected.items())


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        pytest.param(Kind.REPLACE, {"speed": 5.0}, id="replace leaves only what the person gave"),
        pytest.param(Kind.PATCH, {"speed": 5.0, "temperature": 1.0}, id="patch keeps the rest"),
        pytest.param(Kind.REMOVE, {}, id="remove leaves nothing"),
    ],
)
def test_a_device_that_sends_again_does_not_undo_a_person(kind, left):
    device = Batch.of([Row(7, 1, {"speed": 1.0, "temperature": 1.0})])
    person = Batch.of([Row(7, 1, {} if kind is Kind.REMOVE else {"speed": 5.0})])
    known = fold(fold(fold(Readings(), device, Kind.READINGS), person, kind), device, Kind.READINGS)
    assert as_rows(known).get(1, {}) == left
