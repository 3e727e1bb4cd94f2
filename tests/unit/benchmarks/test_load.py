"""The readings that every system gets: the same values, whichever words they are written in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.load import as_columns, as_items, as_lines, make_load, stamp

END = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
MACHINES = [7, 8, 9]


@pytest.fixture
def load():
    return make_load(ticks=4, end=END, step=timedelta(seconds=10), assets=3)


class TestLoad:
    def test_ends_before_its_end_at_regular_times(self, load):
        assert [stamp(int(at)) for at in load.times[-2:]] == ["2026-11-21T09:59:40Z", "2026-11-21T09:59:50Z"]

    def test_is_the_same_every_time(self, load):
        again = make_load(ticks=4, end=END, step=timedelta(seconds=10), assets=3)
        np.testing.assert_array_equal(again.values, load.values)

    @pytest.mark.parametrize(("readings", "stretches"), [(3, 4), (6, 2), (9, 2), (100, 1)])
    def test_is_split_at_whole_ticks(self, load, readings, stretches):
        parts = load.stretches(readings)
        assert len(parts) == stretches
        assert [tick for first, last in parts for tick in range(first, last)] == [0, 1, 2, 3]


class TestBodies:
    def test_all_hold_the_same_readings(self, load):
        items = json.loads(as_items(load, 1, 3, MACHINES))["items"]
        by_items = [(item["asset"], item["timestamp"], item["values"]) for item in items]
        columns = json.loads(as_columns(load, 1, 3, MACHINES))
        rows = zip(*columns["values"].values(), strict=True)
        by_columns = [
            (asset, at, dict(zip(columns["values"], row, strict=True)))
            for asset, at, row in zip(columns["asset"], columns["timestamp"], rows, strict=True)
        ]
        assert by_columns == by_items
        assert by_lines(as_lines(load, 1, 3, MACHINES)) == by_items
        assert len(items) == 6


def by_lines(body: bytes) -> list[tuple[int, str, dict[str, float]]]:
    found = []
    for line in body.decode().splitlines():
        series, fields, at = line.split()
        values = {name: float(value) for name, value in (field.split("=") for field in fields.split(","))}
        found.append((int(series.partition("asset=")[2]), stamp(int(at) * 1000), values))
    return found
