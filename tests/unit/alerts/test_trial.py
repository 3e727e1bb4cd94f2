"""What is told of a replay: how often, how long, how well, how restlessly, and what would calm it."""

from __future__ import annotations

import numpy as np
import pytest

from techtrack.alerts.domain.backtest import Episode, Past, Series, episodes, replay
from techtrack.alerts.domain.condition import Circumstances
from techtrack.alerts.domain.rule import parse_rule
from techtrack.alerts.domain.trial import Incident, Outcome, capability, leads, load
from techtrack.alerts.domain.tuning import LADDER, Settings, advise, depths, restless, rounded_up

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
SPAN = (0, 10 * HOUR)


def outcome(*stretches, reraise=0, asset=1, rank=3, known=MINUTE):
    told = [Episode(start, end, 0, 2.0, 1.0) for start, end in stretches]
    return Outcome(asset, SPAN, told, [rank] * len(told), reraise, known)


class TestOutcome:
    def test_counts_raises_alerts_and_repeats(self):
        found = outcome((0, MINUTE), (MINUTE + SECOND, 2 * MINUTE), (HOUR, None), reraise=10 * MINUTE)

        assert (found.raises, found.repeats, found.standing) == (3, 1, True)
        assert found.alerts == [(0, 2 * MINUTE), (HOUR, 10 * HOUR)]
        assert found.active == 2 * MINUTE - SECOND + 9 * HOUR
        assert found.longest == 9 * HOUR

    def test_makes_no_two_alerts_one_where_no_window_is_set(self):
        assert len(outcome((0, MINUTE), (MINUTE, 2 * MINUTE)).alerts) == 2

    def test_of_nothing_is_quiet(self):
        found = outcome()

        assert (found.raises, found.alerts, found.repeats, found.active, found.longest) == (0, [], 0, 0, 0)
        assert (found.days(), found.severities(), found.standing) == ({}, {}, False)

    @pytest.mark.parametrize(
        ("incident", "lead"),
        [
            (Incident(30 * MINUTE, 3 * HOUR), 2 * HOUR),  # raised within
            (Incident(90 * MINUTE, 3 * HOUR), 90 * MINUTE),  # active when it begins: known from then on
            (Incident(2 * HOUR, 3 * HOUR), None),  # over when it begins
            (Incident(0, HOUR), None),  # over when it is raised
        ],
    )
    def test_knows_an_incident_from_the_first_alert_in_it(self, incident, lead):
        found = outcome((HOUR, 2 * HOUR))

        assert found.leads([incident]) == {incident: lead}
        assert found.false_alarms([incident]) == int(lead is None)

    def test_tells_nothing_of_other_assets(self):
        mine, other = Incident(0, HOUR, asset=1), Incident(0, HOUR, asset=2)
        found = outcome((0, MINUTE))

        assert found.leads([mine, other]) == {mine: HOUR}
        assert leads([found], [mine, other]) == {mine: HOUR, other: None}


class TestLoad:
    def test_is_measured_as_key_figures_are(self):
        restless = outcome(*((n * 20 * SECOND, n * 20 * SECOND + SECOND) for n in range(12)))
        calm = outcome((5 * HOUR, None), asset=2)

        measures = load([restless, calm], SPAN)

        assert len(measures.raised) == 13
        assert np.bincount(measures.chattering.identities, minlength=2).tolist() == [12, 0]
        assert int(measures.slots.max()) == 12
        assert len(measures.floods) == 1

    def test_of_nothing_is_nothing(self):
        assert len(load([], SPAN).raised) == 0


class TestCapability:
    def test_is_the_room_over_three_standard_deviations(self):
        found = capability(10.0, 1.0, lsl=4.0, usl=13.0)

        assert found is not None
        assert (found.cp, found.cpk) == (1.5, 1.0)

    def test_has_no_cp_with_one_limit(self):
        found = capability(10.0, 1.0, lsl=None, usl=16.0)

        assert found is not None
        assert (found.cp, found.cpk) == (None, 2.0)

    @pytest.mark.parametrize(("stddev", "usl"), [(1.0, None), (0.0, 5.0)])
    def test_needs_a_limit_and_a_spread(self, stddev, usl):
        assert capability(1.0, stddev, lsl=None, usl=usl) is None


def bench(values, step=10 * SECOND, **rule):
    """A rule above 10 on a series: a function that tries settings, and what the rule does as it is."""
    at = np.arange(1, len(values) + 1, dtype=np.int64) * step
    past = Past({"t": Series(at, np.array(values, float))}, int(at[-1]) + step)
    told = {"parameter": "t", "conditions": [{"kind": "above", "limit": 10.0}], **rule}

    def watch(settings):
        columns = told | {"deadband": settings.deadband}
        found = parse_rule(columns).watch(Circumstances())
        return type(found)(
            found.features, found.leaves, found.clauses, settings.on_delay, settings.off_delay, found.count
        )

    def attempt(settings):
        mine = watch(settings)
        found = episodes(replay(mine, past), mine)
        return Outcome(1, (0, past.until), found, [3] * len(found), 0, restless(mine, past))

    base = Settings(0.0, 0, 0)
    return base, watch(base), past, attempt


CHATTER = [5.0] * 30 + [10.5, 9.5] * 40 + [5.0] * 30 + [12.0] * 60 + [5.0] * 30


class TestAdvice:
    def test_is_the_deadband_that_bridges_the_pauses_and_no_delay(self):
        base, watch, past, attempt = bench(CHATTER)
        before = attempt(base)
        behind = depths(watch, past, before, [1.0])

        advice = advise(base, before, depths=behind, incidents=[], attempt=attempt)

        assert set(behind.tolist()) == {0.5}
        assert advice is not None
        assert advice.settings == Settings(0.51, 0, 0)
        assert advice.before == (41, 39)
        assert advice.after == (2, 0)

    def test_is_an_off_delay_where_no_deadband_may_be(self):
        base, watch, past, attempt = bench(CHATTER)

        advice = advise(
            base, attempt(base), depths=depths(watch, past, attempt(base), [0.0]), incidents=[], attempt=attempt
        )

        assert advice is not None
        assert advice.settings == Settings(0.0, 0, 15 * SECOND)

    def test_is_none_where_nothing_is_restless(self):
        base, _, _, attempt = bench([5.0] * 30 + [12.0] * 30 + [5.0] * 30)

        assert advise(base, attempt(base), depths=np.empty(0), incidents=[], attempt=attempt) is None

    def test_is_not_what_misses_an_incident(self):
        base, _, _, attempt = bench(CHATTER)
        before = attempt(base)
        known = Incident(int(before.starts[0]), int(before.starts[0]) + 1)

        def deaf(settings):
            found = attempt(settings)
            return Outcome(1, found.span, found.episodes[1:], found.ranks[1:], 0, found.restless)

        assert advise(base, before, depths=np.empty(0), incidents=[known], attempt=deaf) is None

    def test_is_the_same_each_time(self):
        rng = np.random.default_rng(7)
        base, watch, past, attempt = bench(10 + rng.normal(0, 0.4, 3000).cumsum() * 0.05 + rng.normal(0, 0.3, 3000))
        before = attempt(base)

        found = [
            advise(base, before, depths=depths(watch, past, before, [1.0]), incidents=[], attempt=attempt)
            for _ in range(2)
        ]

        assert found[0] == found[1]
        assert found[0] is not None
        assert found[0].after[1] <= found[0].before[1] / 10


class TestRoundedUp:
    @pytest.mark.parametrize(
        ("number", "up"), [(0.5, 0.51), (0.0123, 0.013), (99.5, 100.0), (7, 7.1), (1234, 1300), (0, None)]
    )
    def test_gives_two_digits_above(self, number, up):
        assert rounded_up(number) == up

    def test_delays_are_in_order(self):
        assert list(LADDER) == sorted(LADDER)
