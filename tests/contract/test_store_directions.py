"""One contract for every store, of directions: their parts are summed up beside them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.memory import MemoryStore
from tests.campaigns.agreement import HOUR
from tests.contract.test_store import CompactingStore, SometimesCompactingStore, put, say


@pytest.fixture(
    params=[MemoryStore, DatabaseStore, SometimesCompactingStore, CompactingStore],
    ids=["memory", "log", "log and chunks", "chunks"],
)
def store(request, db):
    return request.param()


class TestDirections:
    CODES = ("wind_direction", "wind_direction/east", "wind_direction/north")

    def test_have_parts_for_whoever_names_them(self, store):
        put(
            store,
            (1, 1, {"wind_direction": 350.0, "speed": 1.0}),
            (1, 2, {"wind_direction": 10.0}),
            (1, 3, {"speed": 5.0}),
        )
        edges = np.array([0, HOUR])
        assert sorted(store.statistics([1], codes=(), edges=edges)) == [(1, "speed"), (1, "wind_direction")]
        found = store.statistics([1], codes=self.CODES, edges=edges)
        assert [int(found[1, code]["count"][0]) for code in self.CODES] == [2, 2, 2]
        sums = [float(found[1, code]["total"][0]) for code in self.CODES[1:]]
        assert sums == pytest.approx([0.0, 2 * np.cos(np.radians(10))], abs=1e-12)

    def test_leave_out_of_their_parts_what_is_bad(self, store):
        put(store, (1, 1, {"wind_direction": 350.0}), (1, 2, {"wind_direction": 10.0}))
        say(store, Quality.BAD, 2, 3, code="wind_direction")
        found = store.statistics([1], codes=self.CODES[1:], edges=np.array([0, HOUR]))
        sums = [float(found[1, code]["total"][0]) for code in self.CODES[1:]]
        assert sums == pytest.approx([-np.sin(np.radians(10)), np.cos(np.radians(10))])

    def test_are_the_same_cut_anywhere(self, store):
        dice = random.Random(4)
        put(store, *((1, at * HOUR // 7, {"wind_direction": dice.uniform(0, 360)}) for at in range(40)))
        for edges in ([0, 6 * HOUR], [5, HOUR + 9, 6 * HOUR - 1], [HOUR, 2 * HOUR, 3 * HOUR]):
            twin = MemoryStore()
            put(twin, *((1, int(t), {"wind_direction": v}) for t, v in zip(*_direction(store), strict=True)))
            for code in self.CODES:
                got, want = (one.statistics([1], codes=[code], edges=np.array(edges))[1, code] for one in (store, twin))
                assert got["count"].tolist() == want["count"].tolist()
                assert got["total"] == pytest.approx(want["total"])


def _direction(store):
    readings = store.readings([1])[1]
    return readings.times.tolist(), readings.columns["wind_direction"].tolist()
