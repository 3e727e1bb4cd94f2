"""Readings chosen for a drawing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.telemetry.domain.downsample import candidates, thinned


def wave(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An uneven series with a few spikes."""
    dice = np.random.default_rng(seed)
    times = np.cumsum(dice.integers(1, 20_000_000, count))
    values = np.sin(np.arange(count) / 50) * 10 + dice.normal(0, 1, count)
    values[dice.integers(0, count, 3)] += 100
    return times, values


class TestThinned:
    @given(st.integers(5, 3000), st.integers(4, 200), st.integers(0, 1000))
    def test_keeps_ends_and_extremes_within_the_number_asked_for(self, count, points, seed):
        times, values = wave(count, seed)
        kept = thinned(times, values, points=points)
        assert len(kept) <= points
        assert (np.diff(kept) > 0).all()
        assert {0, count - 1, int(np.argmin(values)), int(np.argmax(values))} <= set(kept.tolist()) or count <= points

    def test_leaves_a_short_series_whole(self):
        times, values = wave(20, 1)
        assert thinned(times, values, points=20).tolist() == list(range(20))

    def test_draws_nearly_the_same_line(self):
        times, values = wave(5000, 3)
        kept = thinned(times, values, points=500)
        assert np.abs(np.interp(times, times[kept], values[kept]) - values).mean() < 1.5

    def test_takes_equal_values_and_huge_ones(self):
        times = np.arange(1000) * 1_000_000
        assert len(thinned(times, np.zeros(1000), points=50)) <= 50
        huge = np.where(np.arange(1000) % 2, 1.7e308, -1.7e308)
        assert len(thinned(times, huge, points=50)) <= 50

    @pytest.mark.parametrize("seed", range(5))
    def test_of_joined_pieces_has_the_extremes_of_all(self, seed):
        times, values = wave(4000, seed)
        span = (int(times[0]), int(times[-1]) + 1)
        pieces = [slice(start, start + 500) for start in range(0, 4000, 500)]
        kept = np.concatenate(
            [piece.start + candidates(times[piece], values[piece], span=span, points=50) for piece in pieces]
        )
        assert {int(np.argmin(values)), int(np.argmax(values)), 0, 3999} <= set(kept.tolist())
        assert len(kept) < 400
