"""The life of an alert, step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.alerts.domain.condition import Value, conditions, parse_conditions
from techtrack.alerts.domain.lifecycle import Change, Phase, State, Tick, Watch, due, step
from techtrack.core.errors import Invalid

HOT = parse_conditions([{"kind": "above", "limit": 80, "severity": "high"}])
HOT_OR_HOTTER = parse_conditions(
    [{"kind": "above", "limit": 80, "severity": "high"}, {"kind": "above", "limit": 90, "severity": "critical"}]
)


def run(watch, *events, state=None):
    state, said = state or State(), []
    for event in events:
        state, transitions = step(state, event, watch)
        said += [(t.change, t.at) for t in transitions]
    return state, said


def values(*pairs):
    return [Value(at, value) for at, value in pairs]


class TestStep:
    def test_raises_and_returns_at_once_without_delays(self):
        _, said = run(Watch(HOT), *values((1, 79), (2, 81), (3, 82), (4, 80)))
        assert said == [(Change.RAISED, 2), (Change.RETURNED, 4)]

    def test_does_not_chatter_within_the_deadband(self):
        _, said = run(Watch(HOT, deadband=2), *values((1, 81), (2, 79), (3, 81), (4, 78.5), (5, 78)))
        assert said == [(Change.RAISED, 1), (Change.RETURNED, 5)]

    def test_waits_for_the_on_delay(self):
        _, said = run(Watch(HOT, on_delay=10), *values((1, 81), (5, 82), (10, 83), (11, 83)))
        assert said == [(Change.RAISED, 11)]

    def test_forgets_a_peak_shorter_than_the_on_delay(self):
        state, said = run(Watch(HOT, on_delay=10), *values((1, 81), (5, 79), (20, 79)))
        assert said == []
        assert state.phase is Phase.NORMAL

    def test_lets_a_timer_fire_although_nothing_arrives(self):
        _, said = run(Watch(HOT, on_delay=10), Value(1, 81), Tick(10), Tick(11))
        assert said == [(Change.RAISED, 11)]

    def test_says_the_same_whether_a_tick_or_the_next_sample_ends_the_delay(self):
        watch = Watch(HOT, on_delay=10, off_delay=10)
        by_tick = run(watch, Value(1, 81), Tick(15), Value(20, 70), Tick(40))
        by_sample = run(watch, Value(1, 81), Value(20, 70), Value(40, 70))
        assert by_tick[1] == by_sample[1] == [(Change.RAISED, 11), (Change.RETURNED, 30)]

    def test_waits_for_the_off_delay_and_forgets_a_dip(self):
        _, said = run(Watch(HOT, off_delay=10), *values((1, 81), (2, 70), (5, 81), (6, 70), (16, 70)))
        assert said == [(Change.RAISED, 1), (Change.RETURNED, 16)]

    def test_tells_when_it_gets_worse_and_better(self):
        _, said = run(Watch(HOT_OR_HOTTER), *values((1, 85), (2, 95), (3, 85), (4, 70)))
        assert said == [
            (Change.RAISED, 1),
            (Change.SEVERITY_CHANGED, 2),
            (Change.SEVERITY_CHANGED, 3),
            (Change.RETURNED, 4),
        ]

    def test_ignores_what_is_not_newer_than_what_it_saw(self):
        _, said = run(Watch(HOT), *values((5, 70), (3, 99), (5, 99)))
        assert said == []

    def test_knows_when_a_delay_ends(self):
        watch = Watch(HOT, on_delay=10, off_delay=20)
        pending, _ = run(watch, Value(1, 81))
        returning, _ = run(watch, Value(1, 81), Value(20, 70))
        assert [due(state, watch) for state in (State(), pending, returning)] == [None, 11, 40]

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
            samples.append(Value(at, value))
        watch = Watch(HOT_OR_HOTTER, deadband=deadband, on_delay=on_delay, off_delay=off_delay)
        _, said = run(watch, *samples, Tick(at + 100))
        episodes = [change for change, _ in said if change is not Change.SEVERITY_CHANGED]
        assert episodes == [Change.RAISED, Change.RETURNED] * (len(episodes) // 2) + [Change.RAISED] * (
            len(episodes) % 2
        )
        assert [at for _, at in said] == sorted(at for _, at in said)


@pytest.mark.parametrize(
    ("kind", "value", "firing", "holds"),
    [
        pytest.param("above", 80.0, False, False, id="rests on the limit from below"),
        pytest.param("above", 80.1, False, True, id="crosses"),
        pytest.param("above", 78.5, True, True, id="stays within the deadband"),
        pytest.param("above", 78.0, True, False, id="lets go at limit minus deadband"),
        pytest.param("below", 80.0, False, False, id="rests on the limit from above"),
        pytest.param("below", 79.9, False, True, id="falls through"),
        pytest.param("below", 81.5, True, True, id="stays within the deadband above"),
        pytest.param("below", 82.0, True, False, id="lets go at limit plus deadband"),
    ],
)
def test_a_condition_holds(kind, value, firing, holds):
    condition = conditions.get(kind)(limit=80.0)
    assert condition.holds([Value(1, value)], firing=firing, deadband=2.0) is holds


class TestParseConditions:
    def test_puts_the_gravest_first(self):
        assert [clause.severity for clause in HOT_OR_HOTTER] == ["critical", "high"]

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param([], "/conditions", id="none"),
            pytest.param("x", "/conditions", id="no list"),
            pytest.param([5], "/conditions/0", id="no object"),
            pytest.param([{"limit": 5}], "/conditions/0/kind", id="no kind"),
            pytest.param([{"kind": "sideways", "limit": 5}], "/conditions/0/kind", id="an unknown kind"),
            pytest.param([{"kind": "above"}], "/conditions/0/limit", id="no limit"),
            pytest.param([{"kind": "above", "limit": "hot"}], "/conditions/0/limit", id="text for a limit"),
            pytest.param([{"kind": "above", "limit": True}], "/conditions/0/limit", id="true for a limit"),
            pytest.param([{"kind": "above", "limit": 5, "severity": "grim"}], "/conditions/0/severity", id="severity"),
            pytest.param([{"kind": "above", "limit": 5, "colour": 1}], "/conditions/0/colour", id="an unknown field"),
        ],
    )
    def test_names_the_place_of_a_fault(self, raw, pointer):
        with pytest.raises(Invalid) as refusal:
            parse_conditions(raw)
        assert [fault.pointer for fault in refusal.value.faults] == [pointer]
