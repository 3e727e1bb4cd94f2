"""Derived series: to the bit what a slow walk through one series gives, however the samples are cut into feeds."""

from __future__ import annotations

import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.airquality.periods import DustNowCast, Mean
from techtrack.airquality.tables import AS_IT_IS, How, Rounding
from techtrack.alerts.domain.features.base import FOREVER, Raw, Samples, chain
from techtrack.alerts.domain.features.changes import Gap, Rate, Stuck
from techtrack.alerts.domain.features.running import Highest, Running, Surrogate
from techtrack.alerts.domain.features.statistics import Deviation, Signals
from techtrack.alerts.domain.features.windows import STATISTICS, Forecast, Window, Windows
from tests.unit.alerts.slow import slow

SECOND = 1_000_000
T = Raw("t")
ROWS = 3
BEGIN = 1_795_000_000 * SECOND
TENTH, ONE = Rounding(How.TRUNCATE, Decimal("0.1")), Rounding(How.HALF_UP, Decimal(1))

FEATURES = [
    *(Window(T, 10 * SECOND, statistic) for statistic in STATISTICS),
    Window(T, 10 * SECOND, "avg", least=4),
    Forecast(T, 20 * SECOND, 60 * SECOND),
    Rate(T),
    Rate(T, 5 * SECOND),
    Rate(T, 5 * SECOND, 60 * SECOND),
    Stuck(T),
    Stuck(T, 0.7),
    Gap(T, seconds=2.5),
    Gap(T, times=3.0),
    Deviation(T, 20 * SECOND),
    Deviation(T, 20 * SECOND, 3.0, 0.7),
    Signals(T, (1, 2, 3, 4, 5, 6, 7, 8), 5),
    Signals(T, (2, 7), 5, 3.0, 0.7),
    Rate(Window(T, 5 * SECOND, "max")),
    Stuck(Window(T, 5 * SECOND, "avg"), 1.0),
    Signals(Window(T, 5 * SECOND, "last"), (1, 2, 3, 4), 3),
    Deviation(Window(T, 2 * SECOND, "avg"), 40 * SECOND),
    Running(Window(T, 2 * SECOND, "avg"), Mean(1, 1), ONE),
    Running(Window(T, 2 * SECOND, "avg"), Mean(8, 6), AS_IT_IS, 1.9957),
    Running(Window(T, 2 * SECOND, "avg"), DustNowCast(), TENTH),
    Running(Window(T, 2 * SECOND, "avg"), Surrogate(), TENTH, 0.001),
    Running(Window(T, 2 * SECOND, "avg"), Highest(4), ONE, 1000.0),
]


def drawn(dice):
    """Samples of some rows in the order in which they come, as (row, at, value), with clocks between, as times."""
    clocks, found = dict.fromkeys(range(ROWS), BEGIN), []
    values = dict.fromkeys(range(ROWS), 3.0)
    for _ in range(dice.randint(1, 120)):
        row = dice.randrange(ROWS)
        if dice.random() < 0.05:
            found.append(clocks[row] + dice.choice([0, 3, 11, 25]) * SECOND)
            continue
        clocks[row] += dice.choice([SECOND, SECOND, 2 * SECOND, 9 * SECOND, 31 * SECOND, dice.randint(1, 4 * SECOND)])
        values[row] += dice.choice([0.0, 0.0, 0.1, -0.1, 1.0, -1.0, dice.uniform(-3, 3), dice.uniform(-1e6, 1e6) / 1e5])
        found.append((row, clocks[row], values[row]))
    return found


def cut(dice, events, most):
    """Lay samples that come one after the other together, up to ``most``; a clock stands for itself."""
    feeds = []
    for event in events:
        full = not feeds or isinstance(feeds[-1], int) or len(feeds[-1]) >= most or dice.random() < 1 / most
        if isinstance(event, int):
            feeds.append(event)
        elif full:
            feeds.append([event])
        else:
            feeds[-1].append(event)
    return feeds


def fed(feature, feeds):
    """What a feature gives of each row, as (time, value) in bits, and what it remembers in the end, as bytes."""
    links = [(link, link.blank(ROWS)) for link in chain(feature)[1:]]
    told = {row: [] for row in range(ROWS)}
    for feed in feeds:
        if isinstance(feed, int):
            samples, rest = closed(links, feed)
        else:
            rows, at, values = (np.array(column) for column in zip(*feed, strict=True))
            order = np.lexsort((at, rows))
            turns = np.full(len(rows), 7)
            samples = Samples(rows[order], turns, at[order].astype(np.int64), values[order].astype(np.float64))
            rest = links
        for link, memory in rest:
            samples = link.feed(memory, samples)
        assert not np.isnan(samples.values).any()
        for row, when, value in zip(samples.rows.tolist(), samples.at.tolist(), samples.values.tolist(), strict=True):
            told[row].append((when, value.hex()))
    return told, [{name: column.tobytes() for name, column in memory.items()} for _, memory in links]


def closed(links, now):
    """Close the windows of the first link, if it has any."""
    link, memory = links[0]
    if not isinstance(link, Windows):
        return Samples(*(np.empty(0, kind) for kind in (np.intp, np.int64, np.int64, np.float64))), []
    due = link.ends(memory)
    samples = link.close(memory, np.full(ROWS, now))
    assert (due[samples.rows] <= now).all()
    return samples, links[1:]


def by_the_book(feature, events):
    """The same by the slow implementation."""
    series = {row: slow(feature) for row in range(ROWS)}
    told = {row: [] for row in range(ROWS)}
    for event in events:
        if isinstance(event, int):
            for row, one in series.items():
                told[row] += one.close(event)
        else:
            row, at, value = event
            told[row] += series[row].take(at, value)
    return {row: [(at, value.hex()) for at, value in found] for row, found in told.items()}


dices = st.integers(0, 2**32).map(random.Random)


@pytest.mark.parametrize("feature", FEATURES, ids=repr)
class TestEveryFeature:
    @settings(deadline=None)  # What lasts is not asked here.
    @given(dices)
    def test_gives_to_the_bit_what_a_slow_walk_gives(self, feature, dice):
        events = drawn(dice)
        told, _ = fed(feature, cut(dice, events, 10))
        assert told == by_the_book(feature, events)

    @settings(deadline=None)  # As above.
    @given(dices)
    def test_gives_and_remembers_the_same_however_samples_are_cut(self, feature, dice):
        events = drawn(dice)
        assert (
            fed(feature, cut(dice, events, 1))
            == fed(feature, cut(dice, events, 7))
            == fed(feature, cut(dice, events, 1000))
        )

    def test_gives_nothing_of_nothing(self, feature):
        links = [(link, link.blank(ROWS)) for link in chain(feature)[1:]]
        samples = Samples(*(np.empty(0, kind) for kind in (np.intp, np.int64, np.int64, np.float64)))
        for link, memory in links:
            samples = link.feed(memory, samples)
        assert not len(samples.rows)


def samples(*told, row=0):
    """Samples of one row: (seconds, value)."""
    at = np.array([BEGIN + int(second * SECOND) for second, _ in told], np.int64)
    rows = np.full(len(told), row)
    return Samples(rows, np.arange(len(told)), at, np.array([float(value) for _, value in told]))


def said(found):
    """What was given: (seconds, value)."""
    return list(zip(((found.at - BEGIN) / SECOND).tolist(), found.values.tolist(), strict=True))


class TestWindow:
    def test_is_told_at_its_end_by_what_comes_later(self):
        feature = Window(T, 10 * SECOND, "avg")
        memory = feature.blank(1)
        found = feature.feed(memory, samples((1, 2), (9, 4), (10, 100), (35, 1)))
        assert said(found) == [(10, 3), (20, 100)]
        assert found.turns.tolist() == [2, 3]

    def test_is_told_by_the_clock_one_width_after_its_end_and_then_closed(self):
        feature = Window(T, 10 * SECOND, "avg")
        memory = feature.blank(1)
        feature.feed(memory, samples((1, 2)))
        assert feature.ends(memory).tolist() == [BEGIN + 20 * SECOND]
        assert said(feature.close(memory, np.array([BEGIN + 20 * SECOND - 1]))) == []
        assert said(feature.close(memory, np.array([BEGIN + 20 * SECOND]))) == [(10, 2)]
        assert feature.ends(memory).tolist() == [FOREVER]
        # What comes now for the window is left out, what comes for the next is not.
        assert said(feature.feed(memory, samples((5, 50), (15, 3), (25, 0)))) == [(20, 3)]

    def test_says_nothing_if_it_holds_too_little(self):
        feature = Window(T, 10 * SECOND, "avg", least=2)
        assert said(feature.feed(feature.blank(1), samples((1, 2), (11, 4), (12, 6), (21, 0)))) == [(20, 5)]

    def test_keeps_the_digits_of_a_large_offset(self):
        feature = Window(T, 10 * SECOND, "stddev")
        found = feature.feed(feature.blank(1), samples((1, 1e9 + 1), (2, 1e9 - 1), (11, 0)))
        assert said(found) == [(10, 1.0)]


class TestForecast:
    def test_draws_a_line(self):
        feature = Forecast(T, 10 * SECOND, 60 * SECOND)
        found = feature.feed(feature.blank(1), samples((1, 11), (2, 12), (5, 15), (10, 0)))
        assert said(found) == [(10, pytest.approx(80))]

    def test_needs_three_points(self):
        feature = Forecast(T, 10 * SECOND, 60 * SECOND)
        assert said(feature.feed(feature.blank(1), samples((1, 11), (2, 12), (10, 0)))) == []


class TestRunning:
    def feature(self, period, rounding=AS_IT_IS, multiplier=1.0):
        return Running(Window(T, 10 * SECOND, "avg"), period, rounding, multiplier)

    def test_is_the_mean_of_the_latest_windows_where_enough_are_known(self):
        told = samples((10, 1.0), (20, 3.0), (40, 5.0), (50, 7.0), (90, 9.0))
        feature = self.feature(Mean(3, 2))
        assert said(feature.feed(feature.blank(1), told)) == [(20, 2.0), (40, 4.0), (50, 6.0)]

    def test_remembers_windows_and_not_those_that_are_too_old(self):
        feature = self.feature(Mean(3, 2))
        memory = feature.blank(1)
        assert said(feature.feed(memory, samples((10, 1.0)))) == []
        assert said(feature.feed(memory, samples((20, 3.0)))) == [(20, 2.0)]
        assert said(feature.feed(memory, samples((50, 5.0)))) == []
        assert said(feature.feed(memory, samples((60, 7.0)))) == [(60, 6.0)]

    def test_is_rounded_in_the_unit_of_the_standard_and_told_in_that_of_the_readings(self):
        feature = self.feature(Mean(1, 1), TENTH, 1000.0)
        found = feature.feed(feature.blank(1), samples((10, 0.05549), (20, -3.0)))
        assert said(found) == [(10, 0.0554), (20, 0.0)]

    def test_takes_what_no_air_could_hold_for_no_window(self):
        feature = self.feature(Mean(2, 1))
        assert said(feature.feed(feature.blank(1), samples((10, 4.0), (20, 1e300)))) == [(10, 4.0), (20, 4.0)]

    def test_keeps_series_apart(self):
        feature = self.feature(Mean(3, 1))
        one, other = samples((10, 1.0), (20, 3.0)), samples((10, 7.0), (30, 9.0), row=1)
        found = feature.feed(
            feature.blank(2), Samples(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))
        )
        assert said(found) == [(10, 1.0), (20, 2.0), (10, 7.0), (30, 8.0)]


class TestRate:
    def test_is_per_second_against_the_sample_before(self):
        feature = Rate(T)
        assert said(feature.feed(feature.blank(1), samples((0, 5), (2, 6), (2.5, 4)))) == [(2, 0.5), (2.5, -4)]

    def test_is_against_the_first_of_the_stretch_before(self):
        feature = Rate(T, 10 * SECOND)
        told = samples((1, 0), (5, 100), (11, 10), (19, 36), (21, 10), (45, 7), (55, 3))
        assert said(feature.feed(feature.blank(1), told)) == [(11, 1), (19, 2), (21, 0), (55, -0.4)]


class TestStuck:
    def test_is_how_long_nothing_moved(self):
        feature = Stuck(T)
        assert said(feature.feed(feature.blank(1), samples((0, 5), (2, 5), (3, 6), (9, 6)))) == [
            (0, 0),
            (2, 2),
            (3, 0),
            (9, 6),
        ]

    def test_measures_from_where_it_came_to_rest_so_that_drift_is_movement(self):
        feature = Stuck(T, 1.0)
        told = samples((0, 5), (1, 5.6), (2, 6.2), (3, 6.8))
        assert said(feature.feed(feature.blank(1), told)) == [(0, 0), (1, 1), (2, 0), (3, 1)]


class TestGap:
    def test_is_by_how_much_silence_was_too_long(self):
        feature = Gap(T, seconds=3.0)
        memory = feature.blank(1)
        assert said(feature.feed(memory, samples((0, 1), (2, 1), (7, 1)))) == [(2, -1), (7, 2)]
        assert feature.lapses(memory).tolist() == [BEGIN + 10 * SECOND]

    def test_learns_what_is_usual_and_little_from_an_outage(self):
        feature = Gap(T, times=3.0)
        memory = feature.blank(1)
        found = feature.feed(memory, samples((0, 1), (8, 1), (16, 1), (1016, 1)))
        assert said(found) == [(16, 8 - 24), (1016, 1000 - 24)]
        assert feature.lapses(memory).tolist() == [BEGIN + (1016 + 27) * SECOND]

    def test_cannot_be_said_of_what_never_came(self):
        for feature in (Gap(T, seconds=3.0), Gap(T, times=3.0)):
            assert feature.lapses(feature.blank(1)).tolist() == [FOREVER]

    @settings(deadline=None)  # As above.
    @given(dices, st.sampled_from([1.5, 2.5, 3.0, 4.0]))
    def test_ends_when_a_clock_would_have_noticed_to_the_microsecond(self, dice, times):
        """Half microseconds are usual where intervals are learnt."""
        feature = Gap(T, times=times)
        memory, second = feature.blank(1), 0
        for _ in range(dice.randint(2, 9)):
            second += dice.choice([1, 2, 3])
            lapses = int(feature.lapses(memory)[0])
            for at, value in said(feature.feed(memory, samples((second, 1.0)))):
                assert BEGIN + round(at * SECOND) - round(value * SECOND) == lapses


class TestDeviation:
    def test_is_in_standard_deviations_of_what_was_learnt(self):
        feature = Deviation(T, 20 * SECOND)
        learnt = [(second, 9 if second % 2 else 11) for second in range(20)]
        assert said(feature.feed(feature.blank(1), samples(*learnt, (20, 12), (21, 7)))) == [(20, 2), (21, -3)]

    def test_is_not_said_if_too_little_was_learnt(self):
        feature = Deviation(T, 20 * SECOND)
        assert said(feature.feed(feature.blank(1), samples((0, 1), (1, 2), (20, 99)))) == []

    def test_of_what_never_moved_is_large_and_finite(self):
        feature = Deviation(T, 20 * SECOND)
        found = feature.feed(feature.blank(1), samples(*((second, 5) for second in range(20)), (20, 6)))
        assert found.values.tolist() == [pytest.approx(2e8)]


def zigzag(number, size=1.0):
    return [size if place % 2 else -size for place in range(number)]


class TestNelsonsRules:
    """Lloyd S. Nelson, 1984. Values in standard deviations from the centre."""

    @pytest.mark.parametrize(
        ("rule", "breaks", "just_not"),
        [
            pytest.param(1, [0, 3.01], [0, 3.0], id="beyond three sigmas"),
            pytest.param(1, [0, -3.01], [0, -3.0], id="beyond three sigmas, below"),
            pytest.param(2, [-0.1, *[0.1] * 9], [*[0.1] * 8, -0.1, *[0.1] * 8], id="nine on one side"),
            pytest.param(2, [-0.1] * 9, [*[-0.1] * 8, 0.0, *[-0.1] * 8], id="nine on one side, below"),
            pytest.param(3, [0, 0.1, 0.2, 0.3, 0.4, 0.5], [0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.5, 0.6], id="six rising"),
            pytest.param(3, [0.5, 0.4, 0.3, 0.2, 0.1, 0], [0.4, 0.3, 0.2, 0.1, 0, 0.1], id="six falling"),
            pytest.param(4, zigzag(14), zigzag(13), id="fourteen up and down in turns"),
            pytest.param(4, [0, -0.5, *zigzag(13)], [*zigzag(13), -1.0, *zigzag(12, -1.0)], id="not if two are equal"),
            pytest.param(5, [2.1, 0, 2.1], [2.1, 0, -2.1, 0, 2.0, 2.0], id="two of three beyond two sigmas"),
            pytest.param(5, [-2.1, 0, -2.1], [-2.1, 0, 0, -2.1], id="two of three beyond two sigmas, below"),
            pytest.param(6, [1.1, 1.1, 0, 1.1, 1.1], [1.1, 1.1, 0, 1.0, 1.1, -1.1], id="four of five beyond one"),
            pytest.param(7, zigzag(15, 0.9), [*zigzag(14, 0.9), 1.0], id="fifteen within one sigma"),
            pytest.param(8, zigzag(8, 1.1), [*zigzag(7, 1.1), 1.0], id="eight beyond one sigma on either side"),
        ],
    )
    def test_are_broken_and_only_just_not(self, rule, breaks, just_not):
        feature = Signals(T, (rule,), 2, 0.0, 1.0)
        for values, signal in ((breaks, 2.0 ** (rule - 1)), (just_not, 0.0)):
            found = feature.feed(feature.blank(1), samples(*enumerate(values)))
            assert found.values[-1] == signal
            assert not found.values[:-1].any()

    def test_of_several_are_added_up(self):
        feature = Signals(T, (1, 2, 5), 2, 0.0, 1.0)
        found = feature.feed(feature.blank(1), samples(*enumerate([*[0.1] * 7, 3.5, 3.5])))
        assert found.values.tolist()[-2:] == [1.0, 1.0 + 2.0 + 16.0]

    def test_learn_from_the_first_values_and_judge_none_of_them(self):
        feature = Signals(T, (1,), 4)
        memory = feature.blank(1)
        # Mean 10, mean moving range 2: sigma 1.773.
        assert len(feature.feed(memory, samples((0, 9), (1, 11), (2, 9), (3, 11))).rows) == 0
        centre, sigma = feature.scale(memory, np.array([0]))
        assert (centre.tolist(), sigma.tolist()) == ([10.0], [pytest.approx(2 / 1.128)])
        assert said(feature.feed(memory, samples((4, 15.3), (5, 15.4)))) == [(4, 0.0), (5, 1.0)]
