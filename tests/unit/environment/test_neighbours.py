"""Sensors beside those around: who is near, and whose value is unlike."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.environment.domain.neighbours import Place, unlike

# About 1.1 km apart.
ROW = [Place(50.0 + number / 100, 8.0) for number in range(6)]


class TestUnlike:
    def test_doubts_the_one_that_no_neighbour_supports(self):
        assert unlike(np.array([10.0, 12, 11, 95, 9, 10]), ROW).tolist() == [False] * 3 + [True] + [False] * 2

    def test_lets_all_rise_together(self):
        assert not unlike(np.array([90.0, 95, 92, 88, 91, 93]), ROW).any()

    @pytest.mark.parametrize("near", [0, 2], ids=["nobody", "two, and three are needed"])
    def test_needs_neighbours(self, near):
        places = [*ROW[: near + 1], *(Place(10.0 + number, 20.0) for number in range(5 - near))]
        assert not unlike(np.array([95.0, 10, 10, 10, 10, 10]), places).any()

    def test_does_not_count_those_without_a_value(self):
        assert not unlike(np.array([95.0, 10, 10, np.nan, np.nan, np.nan]), ROW).any()
        assert unlike(np.array([95.0, 10, 10, 10, np.nan, np.nan]), ROW).tolist()[0]

    def test_measures_along_the_surface(self):
        # At 60 degrees north a degree of longitude is half as long: 9.5 km and 10.6 km.
        for degrees, doubted in ((0.17, True), (0.19, False)):
            places = [Place(60.0, 0.0), *(Place(60.0, degrees) for _ in range(3))]
            assert unlike(np.array([95.0, 10, 10, 10]), places)[0] == doubted

    def test_goes_over_the_date_line(self):
        places = [Place(0.0, 179.99), *(Place(0.0, -179.99) for _ in range(3))]
        assert unlike(np.array([95.0, 10, 10, 10]), places)[0]
