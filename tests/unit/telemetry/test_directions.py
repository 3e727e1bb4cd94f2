"""The mean of directions: as vectors, whatever the way they are summed up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.directions import (
    is_direction,
    is_part,
    mean_direction,
    parts_of,
    whole,
    with_parts,
)
from techtrack.telemetry.domain.directions import resolved as part_of
from techtrack.telemetry.domain.statistics import STATISTICS, merged, summarise

CODE = "wind_direction"
degrees = st.lists(st.floats(0, 360), min_size=1, max_size=40)


def statistics(values, *, cut=()):
    """Statistics of a direction and of its parts, summed up in the pieces between the places of ``cut``."""
    times, numbers = np.arange(len(values)), np.array(values, float)
    starts = np.array(sorted({0, *cut}))
    told = [summarise(times, part_of(numbers, code), starts) for code in (CODE, *parts_of(CODE))]
    return [merged(one, np.array([0])) for one in told]


def mean(values, **more):
    return float(mean_direction(*statistics(values, **more))[0])


def steadiness(values):
    _, east, north = statistics(values)
    return float(np.hypot(east["total"][0], north["total"][0])) / len(values)


class TestTheMeanDirection:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            pytest.param([350, 10], 0.0, id="around north, where the mean of numbers is south"),
            pytest.param([180, 270], 225.0, id="south-west"),
            pytest.param([90], 90.0, id="one is its own"),
            pytest.param([359.9999999999], 0.0, id="never 360"),
            pytest.param([-10, 370], 0.0, id="off the circle, as some vanes say it"),
            pytest.param([0, 0, 90], 26.565051, id="two of three count twice: atan(1/2)"),
        ],
    )
    def test_is_that_of_vectors(self, values, expected):
        assert mean(values) == expected

    @pytest.mark.parametrize("values", [[0, 180], [90, 270, 0, 180], [0, 120, 240]], ids=str)
    def test_is_none_where_they_cancel(self, values):
        assert np.isnan(mean(values))

    def test_is_none_of_nothing(self):
        nothing = np.zeros(1, STATISTICS)
        assert np.isnan(mean_direction(nothing, nothing, nothing)).all()

    def test_is_none_where_the_parts_tell_of_fewer_values(self):
        all_of_it, east, north = statistics([350, 10])
        _, fewer, _ = statistics([350])
        assert np.isnan(mean_direction(all_of_it, fewer, north)).all()
        assert np.isnan(mean_direction(all_of_it, east, np.zeros(1, STATISTICS))).all()

    @given(degrees, st.floats(-360, 360))
    def test_turns_with_the_compass(self, values, turn):
        if steadiness(values) > 1e-3:
            after = mean([(value + turn) % 360 for value in values])
            assert abs((after - mean(values) - turn + 180) % 360 - 180) < 1e-2

    @given(degrees, st.sets(st.integers(1, 39)))
    def test_is_the_same_from_pieces(self, values, cut):
        if steadiness(values) > 1e-3:
            pieces = mean(values, cut=[place for place in cut if place < len(values)])
            assert abs((pieces - mean(values) + 180) % 360 - 180) < 1e-4


class TestSeries:
    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("wind_direction", True),
            ("wind_direction_10m", True),
            ("wind_directions", False),
            ("wind_direction/east", False),
            ("wind_direction_10m/east", False),
            ("angle", False),
        ],
    )
    def test_that_are_directions_are_told_by_their_code(self, code, expected):
        assert is_direction(code) is expected

    def test_of_parts_stand_behind_their_direction(self):
        assert with_parts(["a", CODE, "b"]) == ["a", CODE, f"{CODE}/east", f"{CODE}/north", "b"]
        assert [is_part(code) for code in with_parts([CODE])] == [False, True, True]
        assert {whole(code) for code in with_parts([CODE])} == {CODE}
