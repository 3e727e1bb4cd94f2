"""Rules as they are written: what each kind of condition finds, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from techtrack.alerts.domain.condition import Circumstances, Unlimited
from techtrack.alerts.domain.lifecycle import Change
from techtrack.alerts.domain.rule import parse_rule
from techtrack.alerts.folding import judge
from techtrack.alerts.memory import Memory
from techtrack.core.errors import Invalid
from tests.unit.alerts.watching import BEGIN, HOT, SECOND, book_of, log_entry, play, ruling_of, watch_of

MINUTE, HOUR = 60, 3600
SHIFT = {"timezone": "UTC", "rrule": "FREQ=HOURLY", "duration": "PT30M"}


def every(step, *values, begin=0):
    """Readings at equal distances."""
    return [(begin + step * place, value) for place, value in enumerate(values)]


def seconds(number):
    return timedelta(seconds=number)


CHART = {"kind": "control_chart", "rules": [1, 2], "mean": 0.0, "stddev": 1.0}
RATE = {"kind": "rate_of_change", "limit": 60.0}
DEVIATION = {"kind": "deviation", "sigmas": 3.0, "learn": "PT10S"}
LEARNT = every(1, *[9, 11] * 5)
FORECAST = {"kind": "forecast", "over": "PT10S", "horizon": "PT1M", "above": 79.0}
PAIR = [{"kind": "above", "limit": 80.0}, {"kind": "below", "limit": 2.0, "parameter": "p"}]

CASES = [
    pytest.param(
        {"conditions": [HOT], "deadband": 2.0},
        every(1, 80, 81, 79, 78.1, 78),
        [("raised", 1, "above", 81), ("returned", 4, "above", 78)],
        id="above, with a deadband",
    ),
    pytest.param(
        {"conditions": [{"kind": "below", "limit": 10.0}], "deadband": 2.0},
        every(1, 10, 9, 11, 11.9, 12),
        [("raised", 1, "below", 9), ("returned", 4, "below", 12)],
        id="below, with a deadband",
    ),
    pytest.param(
        {"conditions": [{"kind": "outside", "low": 10.0, "high": 20.0}], "deadband": 1.0},
        every(1, 15, 9, 10.5, 11, 21, 19.5, 19),
        [
            ("raised", 1, "outside", 9),
            ("returned", 3, "outside", 11),
            ("raised", 4, "outside", 21),
            ("returned", 6, "outside", 19),
        ],
        id="outside, on both sides",
    ),
    pytest.param(
        {"conditions": [{"kind": "inside", "low": 10.0, "high": 20.0}], "deadband": 1.0},
        every(1, 9.9, 10, 9, 8.9, 21, 20),
        [("raised", 1, "inside", 10), ("returned", 3, "inside", 8.9), ("raised", 5, "inside", 20)],
        id="inside, edges and deadband",
    ),
    pytest.param(
        {"conditions": [RATE]},
        every(1, 0, 1, 2.5, 3, 1.5),
        [("raised", 2, "rate_of_change"), ("returned", 3, "rate_of_change"), ("raised", 4, "rate_of_change")],
        id="rate of change, either way",
    ),
    pytest.param(
        {"conditions": [{**RATE, "direction": "falling"}]},
        every(1, 0, 5, 3.5),
        [("raised", 2, "rate_of_change")],
        id="rate of change, falling only",
    ),
    pytest.param(
        {"conditions": [{**RATE, "over": "PT10S", "direction": "rising"}]},
        [(1, 0), (5, 100), (11, 10), (12, 12), (21, 10)],
        [("raised", 12, "rate_of_change"), ("returned", 21, "rate_of_change")],
        id="rate of change, over a stretch",
    ),
    pytest.param(
        {"conditions": [{**RATE, "per": "PT1H", "limit": 3600.0}], "deadband": 1800.0},
        every(1, 0, 1.5, 2.1, 2.6),
        [("raised", 1, "rate_of_change"), ("returned", 3, "rate_of_change")],
        id="rate of change, with a deadband in its own unit",
    ),
    pytest.param(
        {"conditions": [{"kind": "flatline", "duration": "PT3S"}]},
        every(1, 5, 5, 5, 5, 5, 6, 6),
        [("raised", 3, "flatline", 3), ("returned", 5, "flatline", 0)],
        id="flatline",
    ),
    pytest.param(
        {"conditions": [{"kind": "flatline", "duration": "PT3S", "tolerance": 0.5}]},
        every(1, 5, 5.5, 5, 4.6, 5.6),
        [("raised", 3, "flatline", 3), ("returned", 4, "flatline", 0)],
        id="flatline, with a tolerance",
    ),
    pytest.param(
        {"conditions": [{"kind": "no_data", "after": "PT1M"}]},
        [(0, 1), (60, 1), 100, 121, (130, 1), (140, 1)],
        [("raised", 120, "no_data", None), ("returned", 130, "no_data", None)],
        id="no data, found by a clock",
    ),
    pytest.param(
        {"conditions": [{"kind": "no_data", "after": "PT1M"}]},
        [(0, 1), (60, 1), (130, 1), (140, 1)],
        [("raised", 120, "no_data", None), ("returned", 130, "no_data", None)],
        id="no data, found by the next sample",
    ),
    pytest.param(
        {"conditions": [{"kind": "no_data", "after": "3x"}]},
        [*every(10, 1, 1, 1), 49, 51],
        [("raised", 50, "no_data", None)],
        id="no data, by what is usual",
    ),
    pytest.param(
        {"conditions": [{"kind": "no_data", "after": "PT1M"}], "on_delay": seconds(10), "off_delay": seconds(20)},
        [(0, 1), 65, 71, (100, 1), 119, 120],
        [("raised", 70, "no_data", None), ("returned", 120, "no_data", None)],
        id="no data, with delays",
    ),
    pytest.param({"conditions": [{"kind": "no_data", "after": "PT1M"}]}, [1000], [], id="no data of what never came"),
    pytest.param(
        {"conditions": [DEVIATION]},
        [*LEARNT, *every(1, 13, 14, 13, 6, begin=10)],
        [("raised", 11, "deviation", 4), ("returned", 12, "deviation", 3), ("raised", 13, "deviation", -4)],
        id="deviation from what was learnt",
    ),
    pytest.param(
        {"conditions": [{**DEVIATION, "direction": "above"}], "deadband": 1.0},
        [*LEARNT, *every(1, 6, 14, 13, 12, begin=10)],
        [("raised", 11, "deviation", 4), ("returned", 13, "deviation", 2)],
        id="deviation, above only, with a deadband in sigmas",
    ),
    pytest.param(
        {"conditions": [{**DEVIATION, "mean": 50.0, "stddev": 5.0}]},
        every(1, 65, 66),
        [("raised", 1, "deviation", 3.2)],
        id="deviation from what is given",
    ),
    pytest.param(
        {"conditions": [CHART]},
        every(1, 0.5, 3.5, 0.5, *[0.5] * 6),
        [("raised", 1, "control_chart", 1), ("returned", 2, "control_chart", 0), ("raised", 8, "control_chart", 2)],
        id="control chart",
    ),
    pytest.param(
        {"conditions": [FORECAST]},
        [*every(1, 11, 12, 13, begin=1), (10, 0), (11, 0), (12, 0), (20, 0)],
        [("raised", 10, "forecast", 80), ("returned", 20, "forecast", 0)],
        id="forecast",
    ),
    pytest.param(
        {"conditions": [FORECAST]},
        [*every(1, 11, 12, 13, begin=1), 19, 20],
        [("raised", 10, "forecast", 80)],
        id="forecast, its stretch ended by a clock",
    ),
    pytest.param(
        {"conditions": [{"kind": "air_quality", "limit": 15.0}]},
        [(0, 10), (1800, 30), (3600, 0), (7200, 0)],
        [("raised", 3600, "air_quality", 20), ("returned", 7200, "air_quality", 0)],
        id="air quality",
    ),
    pytest.param(
        {"conditions": [{"kind": "all_of", "conditions": PAIR}]},
        [(1, 81), (2, {"p": 1}), (3, {"p": 3}), (4, {"t": 70, "p": 1}), (5, 85)],
        [("raised", 2, "all_of", 1), ("returned", 3, "all_of", 3), ("raised", 5, "all_of", 85)],
        id="all of two parameters",
    ),
    pytest.param(
        {"conditions": [{"kind": "any_of", "conditions": PAIR}]},
        [(1, {"p": 1}), (2, 81), (3, {"p": 3}), (4, 80)],
        [("raised", 1, "any_of", 1), ("returned", 4, "any_of", 80)],
        id="any of two parameters",
    ),
    pytest.param(
        {"conditions": [{"kind": "all_of", "conditions": [PAIR[1], {"kind": "any_of", "conditions": PAIR}]}]},
        [(1, 81), (2, {"p": 1})],
        [("raised", 2, "all_of", 1)],
        id="nested twice",
    ),
    pytest.param(
        {"conditions": [HOT], "aggregate": {"window": "PT10S", "statistic": "max"}},
        [(1, 99), (9, 60), (11, 60), 29, 30],
        [("raised", 10, "above", 99), ("returned", 20, "above", 60)],
        id="an aggregate, its last window ended by a clock",
    ),
    pytest.param(
        {"conditions": [HOT], "count": {"n": 3, "of": 5}, "on_delay": seconds(2)},
        every(1, 81, 70, 81, 70, 81, 81, 70, 81, 70, 70),
        [("raised", 6, "above", 81), ("returned", 9, "above", 70)],
        id="count, then a delay",
    ),
    pytest.param(
        {"conditions": [HOT, {"kind": "above", "limit": 90.0, "severity": "critical"}], "on_delay": seconds(5)},
        [(0, 85), (3, 95), (5, 95), (8, 85), (9, 70)],
        [("raised", 5, "above", 95), ("severity_changed", 8, "above", 85), ("returned", 9, "above", 70)],
        id="two severities",
    ),
    pytest.param(
        {"conditions": [HOT], "schedule": SHIFT, "off_delay": seconds(10)},
        [(100, 85), 1900, (3700, 86), (3800, 70), 3900],
        [
            ("raised", 100, "above", 85),
            ("returned", 1810, "above", 85),
            ("raised", 3600, "above", 85),
            ("returned", 3810, "above", 70),
        ],
        id="a schedule, with an off-delay",
    ),
    pytest.param(
        {"conditions": [HOT], "no_data": {"after": "PT1M", "severity": "info"}},
        [(0, 85), 70, (80, 85), (81, 70), 150],
        [("raised", 0, "above", 85), ("returned", 81, "above", 70), ("raised", 141, "no_data", None)],
        id="silence of a rule, milder than what holds",
    ),
    pytest.param(
        {"conditions": [HOT], "no_data": {"after": "PT1M", "policy": "return"}},
        [(0, 85), 70, (80, 79)],
        [("raised", 0, "above", 85), ("returned", 60, "above", 85)],
        id="silence that returns",
    ),
    pytest.param(
        {"conditions": [HOT], "no_data": {"after": "PT1M", "policy": "keep"}},
        [(0, 85), 7000, (8000, 79)],
        [("raised", 0, "above", 85), ("returned", 8000, "above", 79)],
        id="silence that keeps",
    ),
]


@pytest.mark.parametrize(("rule", "events", "expected"), CASES)
def test_a_rule_finds(rule, events, expected):
    found = play(watch_of(**rule), *events)
    assert len(found) == len(expected)
    assert [one[: len(wanted)] for one, wanted in zip(found, expected, strict=True)] == expected


@settings(deadline=None)  # What lasts is not asked here.
@given(
    st.lists(st.tuples(st.integers(1, 200), st.sampled_from([70.0, 81.0])), max_size=20),
    st.sampled_from(["alert", "return"]),
    st.sampled_from(["PT30S", "1.5x", "4x"]),
    st.integers(0, 40),
)
@example([(1, 70.0), (74, 70.0), (66, 70.0), (146, 81.0), (124, 70.0)], "return", "1.5x", 1)
def test_silence_is_the_same_whether_a_clock_or_the_next_sample_finds_it(gaps, policy, after, delay):
    rule = {"no_data": {"after": after, "policy": policy}, "on_delay": seconds(delay), "off_delay": seconds(delay)}
    watch, at, samples = watch_of(HOT, **rule), 0, []
    for gap, value in gaps:
        at += gap
        samples.append((at, value))
    # A clock looks right before each sample.
    by_clock = [event for sample in samples for event in (sample[0] - 1e-6, sample)]
    assert play(watch, *by_clock, 10**6) == play(watch, *samples, 10**6)


class TestCircumstances:
    LIMIT = {"kind": "above", "limit": {"attribute": "t_max"}}

    def test_give_a_limit(self):
        assert play(watch_of(self.LIMIT, attributes={"t_max": 75}), *every(1, 75, 76)) == [("raised", 1, "above", 76)]

    def test_without_the_limit_leave_the_default(self):
        limit = {"kind": "above", "limit": {"attribute": "t_max", "default": 80}}
        assert play(watch_of(limit), *every(1, 76, 81)) == [("raised", 1, "above", 81)]
        assert play(watch_of(limit, attributes={"t_max": 75}), (1, 76)) == [("raised", 1, "above", 76)]

    @pytest.mark.parametrize("attributes", [{}, {"t_max": "hot"}, {"t_max": True}, {"t_max": None}])
    def test_without_limit_and_default_are_not_watched(self, attributes):
        with pytest.raises(Unlimited):
            watch_of(self.LIMIT, attributes=attributes)

    def test_in_which_a_rule_makes_no_sense_are_refused(self):
        band = {"kind": "outside", "low": {"attribute": "t_min"}, "high": 20.0}
        spec = parse_rule({"parameter": "t", "conditions": [band]})
        assert spec.watch(Circumstances({"t_min": 10}))
        with pytest.raises(Invalid):
            spec.watch(Circumstances({"t_min": 30}))

    def test_say_how_often_an_asset_should_send(self):
        watch = watch_of({"kind": "no_data", "after": "3x"}, interval=10 * SECOND)
        assert play(watch, (0, 1), 31) == [("raised", 30, "no_data", None)]

    @pytest.mark.parametrize(("readings", "found"), [(3, []), (4, [("raised", 10, "above", 99)])])
    def test_say_how_many_readings_make_a_window_complete(self, readings, found):
        aggregate = {"window": "PT10S", "min_completeness": 0.75}
        watch = watch_of(HOT, aggregate=aggregate, interval=2 * SECOND)
        assert play(watch, *every(1, *[99] * readings), (11, 0)) == found

    @pytest.mark.parametrize(("readings", "found"), [(4, []), (5, [("raised", 3600, "air_quality", 99)])])
    def test_say_how_many_readings_make_a_period_complete(self, readings, found):
        watch = watch_of({"kind": "air_quality", "limit": 15.0}, interval=600 * SECOND)
        assert play(watch, *every(600, *[99] * readings), (3601, 0)) == found

    @pytest.mark.parametrize(
        ("rule", "asks"),
        [
            pytest.param({"conditions": [HOT]}, False, id="a limit"),
            pytest.param({"conditions": [LIMIT]}, True, id="a limit of the asset"),
            pytest.param({"conditions": [{"kind": "all_of", "conditions": [LIMIT]}]}, True, id="one further inside"),
            pytest.param({"conditions": [{"kind": "no_data", "after": "3x"}]}, True, id="an interval"),
            pytest.param({"conditions": [{"kind": "no_data", "after": "PT3M"}]}, False, id="a duration"),
            pytest.param({"conditions": [HOT], "no_data": {"after": "3x"}}, True, id="an interval of silence"),
        ],
    )
    def test_are_asked_for_only_if_a_rule_needs_them(self, rule, asks):
        assert parse_rule({"parameter": "t", **rule}).asks_assets is asks


def past(samples, *, current=(), late=40, **rule):
    """What late samples tell of the past: current ones first, then the late, then the rest, each an entry."""
    book = book_of(ruling_of(1, late_max_age=seconds(late), **rule), assets=[1])
    memory, found = Memory(0, 0, 0, "judge:commits", book), []
    events = [(100, 70.0), *samples, *current]
    for position, (second, value) in enumerate(events, 1):
        entry = log_entry(position, [(1, BEGIN + round(second * SECOND), {"t": value})])
        found += [one.transition for one in judge([entry], memory, BEGIN)]
    return [
        (one.change.value, (one.since - BEGIN) / SECOND, (one.at - BEGIN) / SECOND, one.value)
        if one.change is Change.PAST
        else (one.change.value, (one.at - BEGIN) / SECOND)
        for one in found
    ]


class TestLateData:
    def test_tell_of_an_episode_that_is_over(self):
        assert past([(70, 85.0), (72, 86.0), (75, 70.0)]) == [("past", 70, 75, 70)]

    def test_change_nothing_of_what_is_current(self):
        found = past([(110, 85.0), (70, 60.0), (111, 86.0)], current=[(112, 70.0)])
        assert found == [("raised", 110), ("returned", 112)]

    def test_tell_of_an_episode_of_a_rule_that_minds_silence_too(self):
        assert past([(70, 85.0), (72, 86.0), (75, 70.0)], no_data={"after": "PT10M"}) == [("past", 70, 75, 70)]

    def test_that_are_too_old_tell_of_nothing(self):
        assert past([(59, 85.0), (75, 70.0)]) == []

    def test_are_not_judged_if_the_rule_says_so(self):
        assert past([(70, 85.0), (75, 70.0)], late=0) == []

    def test_obey_delays_and_deadband(self):
        rule = {"on_delay": seconds(5), "deadband": 3.0}
        assert past([(70, 85.0), (72, 70.0), (73, 85.0), (75, 78.0), (80, 77.0)], **rule) == [("past", 78, 80, 77)]

    def test_that_stop_while_it_holds_end_with_the_last_of_them(self):
        found = past([(70, 85.0), (72, 86.0)], current=[(112, 70.0), (113, 70.0)])
        assert found == [("past", 70, 72, 86)]

    def test_of_another_stretch_end_the_one_before(self):
        assert past([(70, 85.0), (72, 86.0), (65, 70.0)]) == [("past", 70, 72, 86)]

    @pytest.mark.parametrize(
        "rule",
        [
            pytest.param({"aggregate": {"window": "PT10S"}}, id="windows"),
            pytest.param({"conditions": [RATE]}, id="a rate"),
        ],
    )
    def test_say_nothing_to_rules_that_have_gone_on(self, rule):
        assert past([(70, 85.0), (72, 86.0), (75, 70.0)], **rule) == []


ABOVE = {"kind": "above", "limit": 5.0}
BAND = {"kind": "outside", "low": 10.0, "high": 20.0}


def nested(**fields):
    return {"conditions": [{"kind": "all_of", "conditions": [ABOVE, {**ABOVE, "limit": 6.0, **fields}]}]}


def of(kind, **fields):
    return {"conditions": [{"kind": kind, **fields}]}


REFUSALS = [
    pytest.param({"conditions": []}, "/conditions", id="no condition"),
    pytest.param({"conditions": [ABOVE] * 11}, "/conditions", id="too many conditions"),
    pytest.param({"conditions": "x"}, "/conditions", id="no list"),
    pytest.param({"conditions": [5]}, "/conditions/0", id="no object"),
    pytest.param({"conditions": [{"limit": 5}]}, "/conditions/0/kind", id="no kind"),
    pytest.param(of("sideways", limit=5), "/conditions/0/kind", id="an unknown kind"),
    pytest.param(of("above"), "/conditions/0/limit", id="no limit"),
    pytest.param(of("above", limit="hot"), "/conditions/0/limit", id="text for a limit"),
    pytest.param(of("above", limit=True), "/conditions/0/limit", id="true for a limit"),
    pytest.param(of("above", limit=float("nan")), "/conditions/0/limit", id="no number for a limit"),
    pytest.param(of("above", limit={}), "/conditions/0/limit", id="an attribute without a name"),
    pytest.param(of("above", limit=5, severity="grim"), "/conditions/0/severity", id="an unknown severity"),
    pytest.param(of("above", limit=5, colour=1), "/conditions/0/colour", id="an unknown field"),
    pytest.param({"conditions": [ABOVE], "parameter": ""}, "/parameter", id="no parameter anywhere"),
    pytest.param(of("outside", low=5, high=5), "/conditions/0/low", id="a band of nothing"),
    pytest.param({"conditions": [BAND], "deadband": 5.1}, "/deadband", id="a deadband larger than the band"),
    pytest.param(of("inside", low=5, high=4), "/conditions/0/low", id="inside of nothing"),
    pytest.param(of("rate_of_change", limit=0), "/conditions/0/limit", id="a rate of zero"),
    pytest.param(of("rate_of_change", limit=5, per="PT0S"), "/conditions/0/per", id="per nothing"),
    pytest.param(of("rate_of_change", limit=5, per="soon"), "/conditions/0/per", id="per no duration"),
    pytest.param(of("rate_of_change", limit=5, over="-PT5S"), "/conditions/0/over", id="over less than nothing"),
    pytest.param(of("rate_of_change", limit=5, direction="up"), "/conditions/0/direction", id="a direction"),
    pytest.param({**of("rate_of_change", limit=5), "deadband": 6.0}, "/deadband", id="a deadband above the rate"),
    pytest.param(of("flatline", duration="PT0S"), "/conditions/0/duration", id="flat for nothing"),
    pytest.param(of("flatline", duration="PT5M", tolerance=-1), "/conditions/0/tolerance", id="less than no tolerance"),
    pytest.param(of("no_data", after="PT0S"), "/conditions/0/after", id="silence of nothing"),
    pytest.param(of("no_data", after="a while"), "/conditions/0/after", id="silence of no duration"),
    pytest.param(of("no_data", after="1x"), "/conditions/0/after", id="silence of one interval"),
    pytest.param(of("deviation", sigmas=0), "/conditions/0/sigmas", id="no sigmas"),
    pytest.param(of("deviation", sigmas=3, learn="PT0S"), "/conditions/0/learn", id="nothing to learn from"),
    pytest.param(of("deviation", sigmas=3, mean=5), "/conditions/0/stddev", id="a mean without a spread"),
    pytest.param(of("deviation", sigmas=3, stddev=5), "/conditions/0/mean", id="a spread without a mean"),
    pytest.param(of("deviation", sigmas=3, mean=1, stddev=0), "/conditions/0/stddev", id="a spread of zero"),
    pytest.param({**of("deviation", sigmas=3), "deadband": 4.0}, "/deadband", id="a deadband above the sigmas"),
    pytest.param(of("control_chart", rules=[]), "/conditions/0/rules", id="none of Nelson's rules"),
    pytest.param(of("control_chart", rules=[9]), "/conditions/0/rules", id="a ninth of Nelson's rules"),
    pytest.param(of("control_chart", rules=[1, 1]), "/conditions/0/rules", id="one of Nelson's rules twice"),
    pytest.param(of("control_chart", learn=1), "/conditions/0/learn", id="one value to learn from"),
    pytest.param(of("control_chart", lsl=5, usl=5), "/conditions/0/lsl", id="a specification of nothing"),
    pytest.param(of("control_chart", mean=5), "/conditions/0/stddev", id="a centre without a spread"),
    pytest.param(of("forecast", over="PT5M", horizon="PT1H"), "/conditions/0/above", id="no limit to cross"),
    pytest.param(of("forecast", over="PT0S", horizon="PT1H", above=5), "/conditions/0/over", id="a line of nothing"),
    pytest.param(of("forecast", over="PT5M", horizon="PT0S", above=5), "/conditions/0/horizon", id="no horizon"),
    pytest.param(
        of("forecast", over="PT5M", horizon="PT1H", above=5, below=6), "/conditions/0/below", id="crossed limits"
    ),
    pytest.param(of("air_quality", limit=5, average="PT0S"), "/conditions/0/average", id="an average of nothing"),
    pytest.param(of("air_quality", limit=5, completeness=1.5), "/conditions/0/completeness", id="more than complete"),
    pytest.param(of("all_of", conditions=[]), "/conditions/0/conditions", id="all of nothing"),
    pytest.param(of("any_of", conditions=[{"kind": "x"}]), "/conditions/0/conditions/0/kind", id="any of the unknown"),
    pytest.param(nested(severity="low"), "/conditions/0/conditions/1/severity", id="a severity further inside"),
    pytest.param(nested(colour=1), "/conditions/0/conditions/1/colour", id="an unknown field further inside"),
    pytest.param(
        of("all_of", conditions=[{**BAND, "low": 30.0}]), "/conditions/0/conditions/0/low", id="a fault further inside"
    ),
    pytest.param(
        {**of("any_of", conditions=[BAND]), "deadband": 9.0}, "/deadband", id="a deadband too large for one inside"
    ),
    pytest.param(
        {"conditions": [{**ABOVE, "severity": "high"}, {**ABOVE, "limit": 9.0, "severity": "low"}]},
        "/conditions/1/severity",
        id="a higher limit that is milder",
    ),
    pytest.param(
        {"conditions": [{**ABOVE, "severity": "low"}, {**ABOVE, "severity": "high"}]},
        "/conditions/0/severity",
        id="the same limit twice",
    ),
    pytest.param(
        {"conditions": [{"kind": "no_data", "after": "PT1M", "severity": "high"}], "no_data": {"after": "PT1M"}},
        "/no_data/severity",
        id="the same silence twice",
    ),
    pytest.param({"conditions": [ABOVE], "aggregate": {}}, "/aggregate/window", id="an aggregate without a window"),
    pytest.param({"conditions": [ABOVE], "aggregate": {"window": "PT0S"}}, "/aggregate/window", id="a window of zero"),
    pytest.param(
        {"conditions": [ABOVE], "aggregate": {"window": "PT1M", "statistic": "mode"}},
        "/aggregate/statistic",
        id="an unknown statistic",
    ),
    pytest.param(
        {"conditions": [ABOVE], "aggregate": {"window": "PT1M", "min_completeness": 2}},
        "/aggregate/min_completeness",
        id="a window more than complete",
    ),
    pytest.param({"conditions": [ABOVE], "aggregate": 5}, "/aggregate", id="no object for an aggregate"),
    pytest.param({"conditions": [ABOVE], "count": {"n": 4, "of": 3}}, "/count/n", id="more than there are"),
    pytest.param({"conditions": [ABOVE], "count": {"n": 0, "of": 3}}, "/count/n", id="none of them"),
    pytest.param({"conditions": [ABOVE], "count": {"n": 1, "of": 65}}, "/count/of", id="more than is remembered"),
    pytest.param({"conditions": [ABOVE], "count": {"n": 1}}, "/count/of", id="of how many"),
    pytest.param({"conditions": [ABOVE], "no_data": {"after": "0x"}}, "/no_data/after", id="a rule's silence"),
    pytest.param(
        {"conditions": [{**ABOVE, "severity": "low"}, {**ABOVE, "limit": 1.0, "severity": "critical"}]},
        "/conditions/0/severity",
        id="a milder one that is covered, wherever it stands",
    ),
    pytest.param(
        {
            "conditions": [
                {**ABOVE, "severity": "critical"},
                {"kind": "any_of", "conditions": [{**ABOVE, "limit": 6.0}, {**ABOVE, "limit": 7.0}], "severity": "low"},
            ]
        },
        "/conditions/1/severity",
        id="parts of a milder one that are all covered",
    ),
    pytest.param(
        {"conditions": [{"kind": "all_of", "conditions": [ABOVE, {"kind": "below", "limit": 4.0}]}]},
        "/conditions/0",
        id="what can never be",
    ),
    pytest.param(
        {"conditions": [{**ABOVE, "limit": 80.0}, {"kind": "below", "limit": 75.0}], "deadband": 10.0},
        "/deadband",
        id="a deadband within which one condition hands over to the other",
    ),
    pytest.param({"conditions": [ABOVE], "no_data": {}}, "/no_data/after", id="a rule's silence of what"),
    pytest.param(
        {"conditions": [ABOVE], "no_data": {"after": "3x", "policy": "guess"}}, "/no_data/policy", id="a policy"
    ),
    pytest.param(
        {"conditions": [ABOVE], "no_data": {"after": "3x", "severity": "grim"}}, "/no_data/severity", id="its severity"
    ),
    pytest.param({"conditions": [ABOVE], "on_delay": seconds(-1)}, "/on_delay", id="a delay below zero"),
    pytest.param({"conditions": [ABOVE], "off_delay": seconds(-1)}, "/off_delay", id="another below zero"),
    pytest.param({"conditions": [ABOVE], "late_max_age": seconds(-1)}, "/late_max_age", id="an age below zero"),
    pytest.param({"conditions": [ABOVE], "schedule": {"rrule": 5}}, "/schedule/rrule", id="no text for a recurrence"),
    pytest.param(
        {"conditions": [ABOVE], "schedule": {**SHIFT, "timezone": "Mars"}}, "/schedule/timezone", id="no time zone"
    ),
    pytest.param({"conditions": [ABOVE], "schedule": {**SHIFT, "x": 1}}, "/schedule/x", id="a schedule's field"),
]


@pytest.mark.parametrize(("rule", "pointer"), REFUSALS)
def test_a_rule_is_refused_with_the_place_of_the_fault(rule, pointer):
    with pytest.raises(Invalid) as refusal:
        parse_rule({"parameter": "t", **rule})
    assert [fault.pointer for fault in refusal.value.faults] == [pointer]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            {"conditions": [{**ABOVE, "limit": 80.0}, {"kind": "below", "limit": 65.0}], "deadband": 10.0},
            id="a deadband that leaves room between two",
        ),
        pytest.param(
            {
                "conditions": [{"kind": "all_of", "conditions": [ABOVE, {"kind": "below", "limit": 4.0}]}],
                "count": {"n": 1, "of": 2},
            },
            id="two that are counted, each for itself",
        ),
        pytest.param(
            {
                "conditions": [
                    {"kind": "all_of", "conditions": [ABOVE, {"kind": "below", "limit": 4.0, "parameter": "p"}]}
                ]
            },
            id="two of different parameters",
        ),
    ],
)
def test_a_rule_that_makes_sense_is_taken(rule):
    assert parse_rule({"parameter": "t", **rule}).asks


def test_the_gravest_comes_first():
    asks = parse_rule({"parameter": "t", "conditions": [HOT, {**ABOVE, "limit": 99.0, "severity": "critical"}]}).asks
    assert [ask.severity for ask in asks] == ["critical", "high"]


def test_a_condition_has_a_severity_though_none_is_given():
    assert parse_rule({"parameter": "t", "conditions": [ABOVE]}).asks[0].severity == "medium"
