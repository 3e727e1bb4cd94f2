"""The life of an alert, step by step."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.alerts.domain.condition import Comparator
from techtrack.alerts.domain.lifecycle import Change, Look, Phase, State, due, step
from techtrack.core.clock import to_micros
from tests.unit.alerts.watching import HOT, HOTTER, SECOND, looks, micros, run, told, watch_of

RAISED, RETURNED, CHANGED = Change.RAISED, Change.RETURNED, Change.SEVERITY_CHANGED
PARTS = [{"kind": "above", "limit": 80.0}, {"kind": "above", "limit": 5.0, "parameter": "p"}]
MINUTE = 60 * SECOND


class TestStep:
    def test_raises_and_returns_at_once_without_delays(self):
        _, said = run(watch_of(HOT), looks((1, 79), (2, 81), (3, 82), (4, 80)))
        assert told(said) == [(RAISED, 2), (RETURNED, 4)]

    def test_does_not_chatter_within_the_deadband(self):
        _, said = run(watch_of(HOT, deadband=2.0), looks((1, 81), (2, 79), (3, 81), (4, 78.5), (5, 78)))
        assert told(said) == [(RAISED, 1), (RETURNED, 5)]

    def test_holds_on_within_the_deadband_also_while_the_on_delay_runs(self):
        _, said = run(watch_of(HOT, deadband=2.0, on_delay=micros(10)), looks((1, 81), (5, 79), (11, 79)))
        assert told(said) == [(RAISED, 11)]

    def test_waits_for_the_on_delay(self):
        _, said = run(watch_of(HOT, on_delay=micros(10)), looks((1, 81), (5, 82), (10, 83), (11, 83)))
        assert told(said) == [(RAISED, 11)]

    def test_forgets_a_peak_shorter_than_the_on_delay(self):
        state, said = run(watch_of(HOT, on_delay=micros(10)), looks((1, 81), (5, 79), (20, 79)))
        assert said == []
        assert state.asleep

    def test_lets_a_timer_fire_although_nothing_arrives(self):
        _, said = run(watch_of(HOT, on_delay=micros(10)), [*looks((1, 81)), Look(10), Look(11)])
        assert told(said) == [(RAISED, 11)]

    def test_says_the_same_whether_a_clock_or_the_next_sample_ends_the_delay(self):
        watch = watch_of(HOT, on_delay=micros(10), off_delay=micros(10))
        by_clock = run(watch, [*looks((1, 81)), Look(15), *looks((20, 70)), Look(40)])
        by_sample = run(watch, looks((1, 81), (20, 70), (40, 70)))
        assert told(by_clock[1]) == told(by_sample[1]) == [(RAISED, 11), (RETURNED, 30)]

    def test_waits_for_the_off_delay_and_forgets_a_dip(self):
        _, said = run(watch_of(HOT, off_delay=micros(10)), looks((1, 81), (2, 70), (5, 81), (6, 70), (16, 70)))
        assert told(said) == [(RAISED, 1), (RETURNED, 16)]

    def test_tells_when_it_gets_worse_and_better(self):
        _, said = run(watch_of(HOT, HOTTER), looks((1, 85), (2, 95), (3, 85), (4, 70)))
        assert told(said) == [(RAISED, 1), (CHANGED, 2), (CHANGED, 3), (RETURNED, 4)]
        assert [one.clause for one in said] == [1, 0, 1, 1]

    def test_tells_of_the_gravest_that_holds_when_the_on_delay_ends(self):
        _, said = run(watch_of(HOT, HOTTER, on_delay=micros(10)), looks((1, 85), (5, 95), (11, 95)))
        assert [(*one[:3], one.value) for one in said] == [(RAISED, 11, 0, 95)]

    def test_knows_when_a_delay_ends(self):
        watch = watch_of(HOT, on_delay=micros(10), off_delay=micros(20))
        pending, _ = run(watch, looks((1, 81)))
        returning, _ = run(watch, looks((1, 81), (20, 70)))
        assert [due(state, watch) for state in (State(), pending, returning)] == [None, 11, 40]

    def test_forgets_what_is_over_at_once(self):
        state, _ = run(watch_of(HOT), looks((1, 81), (4, 80)))
        assert state.asleep
        assert step(state, *looks((5, 85)), watch_of(HOT)) == step(State(), *looks((5, 85)), watch_of(HOT))

    @given(
        st.lists(st.tuples(st.integers(1, 9), st.floats(60, 100)), max_size=40),
        st.integers(0, 15),
        st.integers(0, 15),
        st.floats(0, 10),
    )
    def test_always_alternates_raised_and_returned_in_order_of_time(self, gaps, on_delay, off_delay, deadband):
        at, samples = 0, []
        for gap, value in gaps:
            at += gap
            samples.append((at, value))
        watch = watch_of(HOT, HOTTER, deadband=deadband, on_delay=micros(on_delay), off_delay=micros(off_delay))
        _, said = run(watch, [*looks(*samples), Look(at + 100)])
        episodes = [one.change for one in said if one.change is not CHANGED]
        assert episodes == [RAISED, RETURNED] * (len(episodes) // 2) + [RAISED] * (len(episodes) % 2)
        assert [one.at for one in said] == sorted(one.at for one in said)


class TestCounting:
    WATCH = {"count": {"n": 2, "of": 3}}

    def test_raises_once_so_many_of_the_last_hold_and_returns_when_fewer_do(self):
        samples = looks((1, 81), (2, 70), (3, 81), (4, 70), (5, 81), (6, 70), (7, 70))
        _, said = run(watch_of(HOT, **self.WATCH), samples)
        # The last three at 4 are 70, 81, 70: one of them holds.
        assert told(said) == [(RAISED, 3), (RETURNED, 4), (RAISED, 5), (RETURNED, 6)]

    def test_stays_awake_until_what_held_has_left_the_window(self):
        state, slept = State(), []
        for look in looks((1, 81), (2, 70), (3, 70), (4, 70)):
            state, _ = step(state, look, watch_of(HOT, **self.WATCH))
            slept.append(state.asleep)
        assert slept == [False, False, False, True]

    def test_counts_each_condition_by_itself(self):
        samples = looks((1, 95), (2, 85), (3, 95))
        _, said = run(watch_of(HOT, HOTTER, **self.WATCH), samples)
        assert [(one.change, one.at, one.clause) for one in said] == [(RAISED, 2, 1), (CHANGED, 3, 0)]

    def test_counts_as_far_as_a_state_can_remember(self):
        watch = watch_of(HOT, HOTTER, count={"n": 64, "of": 64})
        _, said = run(watch, looks(*((at, 99) for at in range(64))))
        assert told(said) == [(RAISED, 63)]


class TestSeveralParameters:
    BOTH = {"kind": "all_of", "conditions": PARTS, "severity": "high"}
    ANY = {"kind": "any_of", "conditions": PARTS, "severity": "high"}

    def test_all_of_them_hold_by_the_newest_value_of_each(self):
        events = [Look(1, {0: 85.0}), Look(2, {1: 6.0}), Look(3, {1: 4.0}), Look(4, {0: 70.0, 1: 6.0})]
        _, said = run(watch_of(self.BOTH), events)
        assert told(said) == [(RAISED, 2), (RETURNED, 3)]

    def test_any_of_them_holds(self):
        events = [Look(1, {0: 85.0}), Look(2, {1: 6.0}), Look(3, {0: 70.0}), Look(4, {1: 4.0})]
        _, said = run(watch_of(self.ANY), events)
        assert told(said) == [(RAISED, 1), (RETURNED, 4)]

    def test_it_is_about_the_value_that_makes_it_hold(self):
        _, said = run(watch_of(self.ANY), [Look(1, {0: 70.0, 1: 6.0}), Look(2, {0: 71.0, 1: 4.0})])
        assert [one.value for one in said] == [6.0, 4.0]

    @pytest.mark.parametrize("quiet", [Look(15, {0: 70.0}), Look(15, {0: 80.0})])
    def test_a_value_that_is_quiet_as_before_is_no_look(self, quiet):
        """The judge passes such values over in bulk; whether it does must not matter."""
        watch = watch_of(self.ANY, on_delay=micros(10))
        pending, _ = run(watch, [Look(1, {1: 6.0})])
        assert step(pending, quiet, watch) == (pending, [])

    def test_a_parameter_that_is_behind_is_judged_at_the_time_of_the_others(self):
        _, said = run(watch_of(self.BOTH), [Look(9, {0: 85.0}), Look(5, {1: 6.0})])
        assert told(said) == [(RAISED, 9)]


class TestSilence:
    """A rule's ``no_data``: feature 1 says by how many seconds a gap was too long."""

    def watch(self, policy, **rule):
        return watch_of(HOT, no_data={"after": "PT1M", "policy": policy, "severity": "low"}, **rule)

    def test_alerts_with_a_severity_of_its_own(self):
        watch = self.watch("alert")
        lapse = Look(60 * SECOND, silent=frozenset([1]))
        _, said = run(watch, [Look(0, {0: 70.0}), lapse, Look(99 * SECOND, {0: 70.0, 1: 39.0})])
        assert [(one.change, one.at, watch.clauses[one.clause].kind) for one in said] == [
            (RAISED, 60 * SECOND, "no_data"),
            (RETURNED, 99 * SECOND, "no_data"),
        ]

    def test_says_the_same_whether_a_clock_or_the_next_sample_finds_it(self):
        watch = self.watch("alert")
        after = Look(99 * SECOND, {0: 70.0, 1: 39.0})
        by_clock = run(watch, [Look(60 * SECOND, silent=frozenset([1])), after])
        assert by_clock == run(watch, [after])

    def test_that_is_graver_shows_over_what_held_before(self):
        watch = watch_of(HOT, no_data={"after": "PT1M", "policy": "alert", "severity": "critical"})
        events = [Look(1, {0: 85.0}), Look(MINUTE, silent=frozenset([1])), Look(2 * MINUTE, {0: 85.0, 1: 60.0})]
        _, said = run(watch, events)
        assert [(one.change, one.at, one.clause) for one in said] == [
            (RAISED, 1, 1),
            (CHANGED, MINUTE, 0),
            (CHANGED, 2 * MINUTE, 1),
        ]

    def test_keeps_what_held_if_the_rule_says_so(self):
        watch = self.watch("keep")
        assert len(watch.features) == 1
        _, said = run(watch, [Look(1, {0: 85.0}), Look(999 * SECOND)])
        assert told(said) == [(RAISED, 1)]

    def test_returns_what_held_if_the_rule_says_so(self):
        watch = self.watch("return", deadband=5.0)
        events = [Look(1, {0: 85.0}), Look(60 * SECOND, silent=frozenset([1])), Look(61 * SECOND, {0: 79.0})]
        _, said = run(watch, events)
        assert told(said) == [(RAISED, 1), (RETURNED, 60 * SECOND)]

    def test_returns_it_as_well_when_the_next_sample_finds_it(self):
        watch = self.watch("return", deadband=5.0)
        _, said = run(watch, [Look(1, {0: 85.0}), Look(99 * SECOND, {0: 79.0, 1: 39.0})])
        assert told(said) == [(RAISED, 1), (RETURNED, 60 * SECOND)]


def at(hour, minute=0):
    return to_micros(datetime(2026, 11, 23, hour, minute, tzinfo=UTC))  # a Monday


class TestSchedule:
    """Monday to Friday from 8 to 16."""

    SHIFT = {"timezone": "UTC", "rrule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=0", "duration": "PT8H"}

    def test_begins_and_ends_an_alert(self):
        watch = watch_of(HOT, schedule=self.SHIFT)
        _, said = run(watch, looks((at(7), 85.0), (at(9), 86.0), (at(17), 85.0)))
        assert [(one.change, one.at, one.value) for one in said] == [
            (RAISED, at(8), 85.0),
            (RETURNED, at(16), 86.0),
        ]

    def test_is_known_to_a_clock(self):
        watch = watch_of(HOT, schedule=self.SHIFT)
        state, _ = run(watch, looks((at(7), 85.0)))
        assert due(state, watch) == at(8)
        state, said = step(state, Look(at(8)), watch)
        assert told(said) == [(RAISED, at(8))]
        assert due(state, watch) == at(16)
        assert due(State(), watch) is None

    def test_lets_delays_begin_with_it(self):
        watch = watch_of(HOT, schedule=self.SHIFT, on_delay=micros(10 * MINUTE))
        _, said = run(watch, looks((at(7), 85.0), (at(9), 86.0)))
        assert told(said) == [(RAISED, at(8, 10))]

    def test_forgets_with_it_what_was_pending(self):
        watch = watch_of(HOT, schedule=self.SHIFT, on_delay=micros(10 * MINUTE))
        state, said = run(watch, looks((at(15, 55), 85.0), (at(16, 20), 85.0)))
        assert (state.phase, told(said)) == (Phase.NORMAL, [])


@pytest.mark.parametrize(
    ("comparator", "value", "held", "holds"),
    [
        pytest.param(Comparator(high=80, deadband=2), 80.0, False, False, id="rests on the limit from below"),
        pytest.param(Comparator(high=80, deadband=2), 80.1, False, True, id="crosses"),
        pytest.param(Comparator(high=80, deadband=2), 78.5, True, True, id="stays within the deadband"),
        pytest.param(Comparator(high=80, deadband=2), 78.0, True, False, id="lets go at limit minus deadband"),
        pytest.param(Comparator(low=80, deadband=2), 80.0, False, False, id="rests on the limit from above"),
        pytest.param(Comparator(low=80, deadband=2), 79.9, False, True, id="falls through"),
        pytest.param(Comparator(low=80, deadband=2), 81.5, True, True, id="stays within the deadband above"),
        pytest.param(Comparator(low=80, deadband=2), 82.0, True, False, id="lets go at limit plus deadband"),
        pytest.param(Comparator(70, 80, inside=True, deadband=2), 80.0, False, True, id="rests on the edge, inside"),
        pytest.param(Comparator(70, 80, inside=True, deadband=2), 80.1, False, False, id="is outside the band"),
        pytest.param(Comparator(70, 80, inside=True, deadband=2), 82.0, True, True, id="stays near the band"),
        pytest.param(Comparator(70, 80, inside=True, deadband=2), 67.9, True, False, id="leaves the band"),
    ],
)
def test_a_comparator_holds(comparator, value, held, holds):
    assert comparator.holds(value, held=held) is holds


@given(
    st.builds(Comparator, st.floats(-5, 0), st.floats(0, 5), st.booleans(), st.floats(0, 2)),
    st.floats(-10, 10),
)
def test_a_comparator_is_quiet_where_it_says(comparator, value):
    low, high = comparator.quiet()
    if low <= value <= high:
        assert not comparator.holds(value, held=False)
