"""Trouble is believed once it lasts, and its end once that lasts: no input, however wild, makes alerts flap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.watch.domain.hysteresis import FLAPS, LONGEST_OFF, TROUBLE, WELL, Pace, State, step

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
EVERY = 15.0
MOST_RAISES = 7
PACE = Pace(on=timedelta(seconds=13.5), off=timedelta(seconds=60))

levels = st.one_of(st.none(), st.floats(0, 3, allow_nan=False), st.sampled_from([0.0, WELL, TROUBLE]))
# Looks of several processes come at any distance, and clocks are set back now and then.
steps = st.one_of(st.floats(0.01, 90), st.floats(0.01, 20), st.just(-3600.0))
looks = st.lists(st.tuples(levels, steps), max_size=300)


def follow(levels, *, every=EVERY, pace=PACE, take=step):
    """The states after each of ``levels``, seen ``every`` so many seconds."""
    state, states = State(), []
    for number, level in enumerate(levels):
        state = take(state, level, START + timedelta(seconds=every * number), pace)
        states.append(state.active)
    return states


def history(looks, take=step):
    """Each look as (time, level, state before, state after)."""
    state, at, told = State(), START, []
    for level, seconds in looks:
        at += timedelta(seconds=seconds)
        after = take(state, level, at, PACE)
        told.append((at, level, state, after))
        state = after
    return told


def most_raises(told):
    """How many raises there were in the worst hour."""
    raised = [at for at, _, before, after in told if after.active and not before.active]
    return max((sum(at <= other < at + FLAPS for other in raised) for at in raised), default=0)


class TestStep:
    @pytest.mark.parametrize(
        ("levels", "expected"),
        [
            pytest.param([1, 1], [False, True], id="two looks in a row are believed"),
            pytest.param([1, 0, 1, 0, 1], [False] * 5, id="one alone is not"),
            pytest.param([1, None, 1], [False] * 3, id="what cannot be told does not count"),
            pytest.param([0.99] * 9, [False] * 9, id="what is below the limit is none"),
            pytest.param([1, 1, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8], [False] + [True] * 7, id="just below it lasts"),
            pytest.param([1, 1, 0, 0, 0, 0, 0], [False] + [True] * 5 + [False], id="a minute of peace ends it"),
            pytest.param([1, 1, 0, 0, 0, 1, 0, 0], [False] + [True] * 7, id="less does not"),
        ],
    )
    def test_believes(self, levels, expected):
        assert follow(levels) == expected

    def test_is_patient_with_what_comes_back(self):
        lasting = []
        levels = [1, 1]
        for _ in range(8):
            states = follow([*levels, *[0] * 200])
            quiet = states[len(levels) :].index(False) + 1
            lasting.append(quiet)
            levels += [0] * quiet + [1, 1]
        assert lasting[:4] == [5, 9, 17, 33]
        assert lasting[-1] == LONGEST_OFF.total_seconds() / EVERY + 1

    def test_forgives_an_hour_later(self):
        levels = [1, 1] + [0] * 5 + [0] * int(FLAPS.total_seconds() / EVERY) + [1, 1]
        states = follow([*levels, *[0] * 10])
        assert states[len(levels) :].index(False) == 4


class TestInvariants:
    @given(looks)
    def test_what_it_believes_is_what_it_saw_without_a_break_for_as_long(self, looks):
        told = history(looks)
        for number, (at, level, before, after) in enumerate(told):
            if before.active == after.active:
                continue
            delay = PACE.off if before.active else PACE.on
            assert level is not None
            seen = []
            for then, what, _, state in reversed(told[: number + 1]):
                if what is None or (what >= WELL if before.active else what < TROUBLE) or then > at:
                    break
                if state.active != before.active and then != at:
                    break
                seen.append(then)
            assert at - min(seen) >= delay

    @given(st.lists(st.tuples(levels, st.floats(0.01, 90)), max_size=400))
    def test_no_hour_has_more_than_a_handful_of_raises(self, looks):
        assert most_raises(history(looks)) <= MOST_RAISES

    @given(st.lists(st.tuples(st.floats(WELL, TROUBLE, exclude_max=True), st.floats(0.01, 90)), max_size=100))
    def test_between_the_edges_nothing_changes(self, looks):
        assert not any(after.active for *_, after in history(looks))
        state = State(active=True)
        for number, (level, _) in enumerate(looks):
            state = step(state, level, START + timedelta(minutes=number), PACE)
            assert state == State(active=True)

    @given(looks, levels, st.integers(0, 3))
    def test_a_second_process_that_sees_the_same_at_the_same_time_changes_nothing(self, looks, level, more):
        state, at = State(), START
        for seen, seconds in looks:
            at += timedelta(seconds=seconds)
            state = step(state, seen, at, PACE)
        once = step(state, level, at, PACE)
        again = once
        for _ in range(more):
            again = step(again, level, at, PACE)
        assert again == once


class TestPlanted:
    def test_a_step_without_delays_is_caught(self):
        def rash(state, level, at, pace):
            return replace(state, active=level is not None and level >= TROUBLE)

        assert most_raises(history([(float(number % 2), 15.0) for number in range(200)], rash)) > MOST_RAISES
