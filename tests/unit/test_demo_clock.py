"""The demo's time: the clock that catches up, and recordings laid over plant time again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from techtrack.demo.clock import CATCH_UP, LONGEST_SLEEP, SPAN, SPEED, Loop, ReplayClock

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
MOMENTS = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CLOCKS = st.builds(
    lambda wall, behind, speed: ReplayClock(wall, wall - behind, speed),
    MOMENTS,
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3)),
    st.floats(min_value=2, max_value=100_000),
)
LOOPS = st.builds(
    lambda times, pace: Loop.of(np.unique(np.array(times, np.int64)) * 60, anchor=0, pace=pace),
    st.lists(st.integers(min_value=-(10**10), max_value=10**10), min_size=1, max_size=40),
    st.sampled_from([1.0, 60.0]),
)
INSTANTS = st.integers(min_value=-(10**13), max_value=10**13)


class TestReplayClock:
    @given(CLOCKS, MOMENTS, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)))
    def test_never_goes_back_and_never_passes_the_present(self, clock, now, later):
        assert clock.at(now) <= clock.at(now + later) <= now + later

    @given(CLOCKS)
    def test_meets_the_present_and_stays_with_it(self, clock):
        met = clock.meets() + timedelta(milliseconds=1)
        assert clock.at(met) == met
        assert clock.at(met + timedelta(days=9)) == met + timedelta(days=9)

    @given(CLOCKS, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4)))
    def test_shows_a_moment_when_it_says_so(self, clock, ahead):
        moment = clock.plant + ahead
        assert abs(clock.at(clock.shows(moment)) - moment) <= timedelta(seconds=clock.speed * 1e-5)

    def test_stands_still_at_speed_zero(self):
        clock = ReplayClock(NOW, NOW - timedelta(hours=1), 0)
        assert clock.at(NOW + timedelta(days=1)) == NOW - timedelta(hours=1)

    def test_takes_the_first_story_in_four_minutes(self):
        clock = ReplayClock.starting(plant=NOW - SPAN, now=NOW)
        assert clock.speed == SPEED
        assert clock.meets() - NOW < CATCH_UP

    def test_catches_up_faster_after_a_long_sleep_and_skips_what_is_too_long(self):
        clock = ReplayClock.starting(plant=NOW - timedelta(days=30), now=NOW)
        assert clock.plant == NOW - LONGEST_SLEEP
        assert clock.meets() - NOW <= CATCH_UP + timedelta(seconds=1)


class TestLoop:
    @given(LOOPS, INSTANTS, INSTANTS, INSTANTS)
    def test_gives_every_reading_once_however_time_is_cut(self, loop, first, second, third):
        start, middle, end = sorted([first, second, third])
        assume((end - start) / loop.period < 200)
        whole, pieces = loop.between(start, end), (loop.between(start, middle), loop.between(middle, end))
        for place in (0, 1):
            assert whole[place].tolist() == [*pieces[0][place].tolist(), *pieces[1][place].tolist()]

    @given(LOOPS, INSTANTS)
    def test_gives_each_reading_once_in_a_period_in_order(self, loop, start):
        when, which = loop.between(start, start + loop.period)
        assert sorted(which.tolist()) == list(range(len(loop.times)))
        assert (np.diff(when) > 0).all()
        assert ((when > start) & (when <= start + loop.period)).all()

    def test_puts_the_anchor_at_the_start_and_keeps_the_pace(self):
        loop = Loop.of(np.array([0, 300, 600], np.int64), anchor=300, pace=60, shift=7)
        assert loop.times.tolist() == [2, 7, 12]
        assert loop.period == 15
