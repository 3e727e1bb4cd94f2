"""What features promise of readings that wait: nothing comes of them that could wake a rule."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.alerts.domain.blocks import Block, blocks
from techtrack.alerts.domain.features.base import NEVER, Bounds, Raw, Samples
from techtrack.alerts.domain.features.changes import Gap, Rate, Stuck
from techtrack.alerts.domain.features.windows import STATISTICS, Forecast, Window
from techtrack.alerts.domain.series import Panel
from techtrack.alerts.domain.tracks import Track
from tests.unit.alerts.test_screening import SECOND, differs
from tests.unit.alerts.watching import log_entry

RAW = Raw("t")
ROWS = 3
BEGIN = 1_795_240_800 * SECOND
FEATURES = [
    *(Window(RAW, 10 * SECOND, statistic) for statistic in STATISTICS),
    Forecast(RAW, 10 * SECOND, 20 * SECOND),
    Rate(RAW, over=10 * SECOND),
    Stuck(RAW),
    Stuck(RAW, 2.0),
    Gap(RAW, 15.0),
]
dices = st.integers(0, 2**32).map(random.Random)


def walk(dice, begin, number, value=lambda _: None):
    """Samples of all rows, each row's later than before; ``value`` may choose one in place of any."""
    found = []
    for row in range(ROWS):
        at = begin + dice.randint(0, 20 * SECOND)
        for _ in range(dice.randint(0, number)):
            at += dice.choice([1, SECOND, 3 * SECOND, dice.randint(1, 12 * SECOND)])
            chosen = value(row)
            found.append((row, at, dice.choice([50.0, dice.gauss(50, 10), 1e-9]) if chosen is None else chosen))
    columns = [np.array(column) for column in zip(*found, strict=True)] or [np.empty(0)] * 3
    return Samples(columns[0].astype(np.intp), np.zeros(len(found), np.int64), columns[1].astype(np.int64), columns[2])


def between(dice, low, high):
    """A value of a closed range, its ends more often than not; any of an empty one."""
    if low > high:
        return 0.0
    low, high = max(low, -1e6), min(high, 1e6)
    return dice.choice([low, high, min(max(dice.uniform(low, high), low), high)])


def broken(feature, dice, bounds_of=lambda bounds: bounds):
    """Return what a feature gives beyond its range, of readings that lie where it said they may."""
    low = np.full(ROWS + 1, dice.choice([-np.inf, -20.0, 0.0, 30.0]))
    high = np.full(ROWS + 1, dice.choice([np.inf, 0.0, 0.5, 20.0, 70.0]))
    memory = feature.blank(ROWS + 1)
    known = walk(dice, BEGIN, 8)
    feature.feed(memory, known)
    newest = int(known.at.max(initial=NEVER))
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = feature.calm(memory, low, high, newest)
    if bounds is None:
        return []
    bounds = bounds_of(bounds)
    seen = {row: int(known.at[known.rows == row].max(initial=NEVER)) for row in range(ROWS)}
    sound = [row for row in range(ROWS) if bounds.low[row] <= bounds.high[row]]
    more = walk(dice, newest - 10 * SECOND, 12, lambda row: between(dice, bounds.low[row], bounds.high[row]))
    timely = (more.at >= bounds.since) & (more.at < bounds.until)
    newer = more.at > np.array([seen[row] for row in more.rows.tolist()], np.int64)
    told = feature.feed(memory, more.pick(timely & newer & np.isin(more.rows, sound)))
    return told.values[(told.values < low[told.rows]) | (told.values > high[told.rows])].tolist()


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
class TestAPromise:
    @settings(deadline=None)
    @given(dices)
    def test_is_kept(self, feature, dice):
        assert not broken(feature, dice)


class TestBlocksLaidTogether:
    def test_keep_the_order_of_the_log_where_it_is_not_that_of_time(self):
        # Blocks by the order of the parameters: the second entry lies behind the third, which is late.
        log = [
            log_entry(1, [(4, BEGIN, {"t": 1.0, "p": 1.0})]),
            log_entry(2, [(4, BEGIN + 30 * SECOND, {"p": 2.0, "t": 2.0})]),
            log_entry(3, [(4, BEGIN + 10 * SECOND, {"t": 3.0, "p": 3.0})]),
        ]
        panel = Panel(np.array([4]))
        together = Block.narrowed(list(blocks(log)), panel)
        assert together.times.tolist() == [BEGIN, BEGIN + 10 * SECOND, BEGIN + 30 * SECOND]
        assert together.rowwise(panel).turns.tolist() == [1, 2, 3]


def test_the_property_catches_a_feature_that_promises_too_much():
    """Planted: a rate that promises the same of all values."""

    def wide(bounds):
        return Bounds(np.full(ROWS + 1, -1e6), np.full(ROWS + 1, 1e6), bounds.since, bounds.until)

    assert any(broken(Rate(RAW, over=10 * SECOND), random.Random(seed), wide) for seed in range(300))


def test_the_judge_that_lets_all_wait_is_caught(monkeypatch):
    """Planted: a feature that was fed once is never fed again before it must be."""
    monkeypatch.setattr(Track, "stirred", lambda self, *_, **__: None if self.bounds is None else np.zeros(1, bool))
    assert any(differs(random.Random(seed)) for seed in range(300))
