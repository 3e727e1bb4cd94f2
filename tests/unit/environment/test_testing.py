"""Readings tested as they arrive: which stretches are doubted, and how they grow."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.airquality.quality import HOUR, Checks, Flag, flagged
from techtrack.environment.domain.checks import Plan
from techtrack.environment.domain.testing import (
    MOST_AN_HOUR,
    Row,
    Stretch,
    Watcher,
    gaps_of,
    joined,
    rows_of,
    runs_of,
)
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Batch

MINUTE = HOUR // 60
DUST = Plan(checks=Checks(minimum=0, maximum=1000, spike=200, resting=5), channels=True)


def told(values, *, plan=DUST, every=HOUR, **others):
    """Feed a series of PM2.5; the stretches as (flag, first index, last index)."""
    watcher, found = Watcher(), {}
    for number, value in enumerate(values):
        more = {code: some[number] for code, some in others.items()}
        row = Row(1, number * every, {} if value is None else {"pm2_5": value} | more)
        for stretch in watcher.test(row, {"pm2_5": plan}):
            found[id(stretch)] = stretch
    return [(one.flag, one.start // every, one.end // every) for one in found.values()]


class TestWatcher:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            pytest.param([10, 12, 11], [], id="ordinary air"),
            pytest.param([10, -999, 11], [(Flag.SENTINEL, 1, 1)], id="what a logger writes for nothing"),
            pytest.param([10, 1001, 1002, 11], [(Flag.RANGE, 1, 2)], id="two in a row are one stretch"),
            pytest.param([-999, -999, -999], [(Flag.SENTINEL, 0, 2)], id="from the first on"),
            pytest.param([1001, 10, 1001], [(Flag.RANGE, 0, 0), (Flag.RANGE, 2, 2)], id="a good one between makes two"),
            pytest.param([10, 500, 11], [(Flag.SPIKE, 1, 1)], id="known by what follows it"),
            pytest.param([10, 500, 490], [], id="a plume stays"),
            pytest.param([7] * 26, [(Flag.STUCK, 0, 25)], id="the same for a day, back to when it came"),
            pytest.param([5] * 30, [], id="what an analyser can just detect may stay"),
            pytest.param([7] * 24, [], id="an hour less than a day"),
            pytest.param([7] * 25 + [8], [(Flag.STUCK, 0, 24)], id="until it changes"),
        ],
    )
    def test_doubts(self, values, expected):
        assert told(values) == expected

    def test_looks_past_what_is_no_neighbour(self):
        assert told([10, -999, 500, 11]) == [(Flag.SENTINEL, 1, 1), (Flag.SPIKE, 2, 2)]

    def test_doubts_channels_that_disagree_and_what_is_made_of_them(self):
        found = told([20.0, 21.0], pm2_5_a=[20.0, 10.0], pm2_5_b=[20.0, 40.0])
        assert found == [(Flag.CHANNELS, 1, 1)] * 3

    def test_doubts_dust_in_fog_by_the_humidity_of_an_hour(self):
        plan = Plan(checks=Checks(), humidity=95.0)
        watcher = Watcher()
        list(watcher.test(Row(1, 0, {"humidity": 99.0}), {"pm2_5": plan}))
        assert [one.flag for one in watcher.test(Row(1, HOUR, {"pm2_5": 20.0}), {"pm2_5": plan})] == [Flag.HUMIDITY]
        assert not list(watcher.test(Row(1, 3 * HOUR, {"pm2_5": 20.0}), {"pm2_5": plan}))
        assert not list(watcher.test(Row(2, HOUR, {"pm2_5": 20.0}), {"pm2_5": plan}))

    def test_tests_what_comes_late_by_itself_alone(self):
        watcher, plans = Watcher(), {"pm2_5": DUST}
        for time, value in ((0, 10.0), (10 * HOUR, 12.0)):
            list(watcher.test(Row(1, time, {"pm2_5": value}), plans))
        # Beside its neighbours it would be a spike; that is for nobody to know any more.
        assert not list(watcher.test(Row(1, 5 * HOUR, {"pm2_5": 500.0}), plans))
        (late,) = watcher.test(Row(1, 6 * HOUR, {"pm2_5": -999.0}), plans)
        assert (late.flag, late.start, late.end) == (Flag.SENTINEL, 6 * HOUR, 6 * HOUR)
        # What is current goes on as if nothing had come.
        assert watcher.memories[1, "pm2_5"].value == 12.0

    def test_says_what_a_doubt_is_worth(self):
        keep = Plan(checks=DUST.checks, keep=frozenset({Flag.SENTINEL}))
        for plan, quality in ((DUST, Quality.BAD), (keep, Quality.SUSPECT)):
            (found,) = Watcher().test(Row(1, 0, {"pm2_5": -999.0}), {"pm2_5": plan})
            assert found.quality is quality

    def test_covers_what_the_tests_of_whole_stretches_find(self):
        draw = np.random.default_rng(7)
        values = draw.choice([10.0, 10.0, 10.0, 400.0, -999.0, 2000.0, 12.0], 400)
        times = np.arange(400, dtype=np.int64) * HOUR
        whole = flagged(times, values, DUST.checks)
        found = told(values.tolist())
        for flag, marked in whole.items():
            covered = np.zeros(400, bool)
            for _, first, last in (one for one in found if one[0] is flag):
                covered[first : last + 1] = True
            assert not (marked & ~covered).any(), flag


class TestLate:
    """What came late, in runs that may be joined."""

    def late(self, *starts, flag=Flag.SENTINEL):
        return [Stretch(1, "pm2_5", flag, start * MINUTE, start * MINUTE, late=True) for start in starts]

    def runs(self, *starts, last=()):
        found = runs_of(self.late(*starts), {one.key: one for one in last})
        return [[one.start // MINUTE for one in run] for run in found]

    def test_runs_are_of_what_is_near(self):
        assert self.runs(5, 1, 61, 65, 126) == [[1, 5, 61, 65], [126]]

    def test_runs_are_of_one_test(self):
        mixed = [*self.late(1, 3), *self.late(2, flag=Flag.RANGE)]
        assert sorted(len(run) for run in runs_of(mixed, {})) == [1, 2]

    def test_a_run_goes_on_from_what_is_marked_before_it(self):
        assert self.runs(70, 71, last=self.late(20)) == [[20, 70, 71]]
        assert self.runs(10, 11, last=self.late(20)) == [[10, 11]]
        assert self.runs(90, last=self.late(20)) == [[90]]

    def test_a_run_is_a_day_at_most(self):
        assert max(len(run) for run in self.runs(*range(0, 48 * 60, 60))) == 25

    def test_are_joined_over_nothing_good(self):
        (run,) = runs_of(self.late(1, 2, 3, 4), {})
        found = joined(run, [0, 1, 0])
        assert [(one.start // MINUTE, one.end // MINUTE) for one in found] == [(1, 2), (3, 4)]

    def test_gaps_lie_between(self):
        assert gaps_of(self.late(1, 2, 3)).tolist() == [MINUTE + 1, 2 * MINUTE, 2 * MINUTE + 1, 3 * MINUTE]


def test_too_many_in_an_hour_grow_into_one_and_the_next_hour_begins_anew():
    second = HOUR // 3600
    found = told([-999, 10.0] * 3600, every=second)
    starts = [first for _, first, _ in found]
    assert (len(found), starts[MOST_AN_HOUR]) == (2 * MOST_AN_HOUR, 3600)
    assert [last for _, _, last in found][MOST_AN_HOUR - 1] == 3598


def test_rows_are_those_of_some_assets():
    batch = Batch(np.array([1, 2, 1]), np.array([5, 6, 7]), {"pm2_5": np.array([1.0, 2.0, np.nan])})
    assert list(rows_of(batch, {1: {}})) == [(1, Row(1, 5, {"pm2_5": 1.0})), (3, Row(1, 7, {}))]
