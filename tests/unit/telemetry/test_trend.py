"""The robust slope, held against known lines and against all pairs in plain Python."""

from __future__ import annotations

from itertools import combinations
from statistics import median

import numpy as np
import pytest

from techtrack.telemetry.domain.trend import HOUR, theil_sen

HOURS = np.arange(100) * HOUR + 1_763_000_000_000_000


class TestTheilSen:
    def test_finds_a_line_exactly(self):
        found = theil_sen(HOURS, 3.0 + 0.5 * np.arange(100), confidence=0.95)
        assert (found.slope, found.low, found.high, found.spread) == pytest.approx((0.5, 0.5, 0.5, 0.0))
        assert found.at(int(HOURS[-1]) + 10 * HOUR)[0] == pytest.approx(3.0 + 0.5 * 109)
        assert found.reaches(103.0, found.slope) == pytest.approx(int(HOURS[0]) + 200 * HOUR)

    def test_is_the_median_of_all_pairs(self):
        dice = np.random.default_rng(7)
        values = dice.normal(0, 1, 40)
        pairs = [(values[b] - values[a]) / (b - a) for a, b in combinations(range(40), 2)]
        assert theil_sen(HOURS[:40], values, confidence=0.95).slope == pytest.approx(median(pairs))

    def test_is_not_bent_by_a_quarter_of_wild_values(self):
        dice = np.random.default_rng(1)
        values = 0.2 * np.arange(100) + dice.normal(0, 0.1, 100)
        values[dice.choice(100, 25, replace=False)] += dice.normal(0, 1000, 25)
        found = theil_sen(HOURS, values, confidence=0.95)
        assert found.slope == pytest.approx(0.2, abs=0.02)
        assert np.polyfit(np.arange(100), values, 1)[0] != pytest.approx(0.2, abs=0.02), (
            "the planted outliers bend nothing"
        )

    def test_holds_the_true_slope_as_often_as_it_says(self):
        dice, inside = np.random.default_rng(3), 0
        for _ in range(200):
            found = theil_sen(HOURS[:50], 0.05 * np.arange(50) + dice.normal(0, 1, 50), confidence=0.9)
            inside += found.low <= 0.05 <= found.high
        assert 165 <= inside <= 195

    def test_of_few_points_is_not_told(self):
        assert theil_sen(HOURS[:7], np.arange(7.0), confidence=0.95) is None

    def test_of_a_level_line_meets_nothing(self):
        found = theil_sen(HOURS, np.full(100, 5.0), confidence=0.95)
        assert (found.slope, found.low, found.high) == (0.0, 0.0, 0.0)
        assert found.reaches(6.0, found.slope) is None
