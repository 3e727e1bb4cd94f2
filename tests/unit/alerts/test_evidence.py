"""What is told of an alert in plain words, and where its limit came from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from techtrack.alerts.api.serializers import UNITS
from techtrack.alerts.domain.condition import conditions
from techtrack.alerts.domain.evidence import Extreme, Origin, condition_of, origin_of, parameters_of, rises
from techtrack.alerts.domain.wording import Aside, Escalated, Facts, in_words, sentence

AT = datetime(2026, 11, 21, 10, 3, tzinfo=UTC)
FACTS = Facts(
    parameter="temperature",
    units={"temperature": "°C", "speed": "rpm"},
    zone=ZoneInfo("UTC"),
    rule="Hot",
    revision=3,
    kind="above",
    condition={"kind": "above", "limit": 90},
    definition={},
    limit=90.0,
    value=91.0,
    origin=Origin("rule"),
    since=AT,
    raised_at=AT,
    until=None,
    worst=None,
    title="Hot",
)


def told(**facts):
    return sentence(replace(FACTS, **facts))


class TestSentence:
    def test_is_made_of_what_is_recorded(self):
        worst = Extreme(97.2, AT + timedelta(minutes=8), highest=True)
        assert told(worst=worst) == (
            "temperature has been above 90 °C since 2026-11-21 10:03 UTC (limit of rule “Hot”, revision 3); "
            "it peaked at 97.2 °C at 10:11."
        )

    def test_names_the_day_where_it_is_another(self):
        assert "returned at 2026-11-22 10:03 UTC (" in told(until=AT + timedelta(days=1))

    def test_tells_times_of_the_site(self):
        assert "since 2026-11-21 19:03 JST" in told(zone=ZoneInfo("Asia/Tokyo"))

    def test_of_a_value_that_is_too_low(self):
        worst = Extreme(-3.0, AT, highest=False)
        facts = {"kind": "below", "limit": 5.0, "worst": worst, "until": AT + timedelta(minutes=1)}
        assert told(**facts).startswith(
            "temperature was below 5 °C from 2026-11-21 10:03 UTC until it returned at 10:04"
        )
        assert "; it fell to -3 °C at 10:03" in told(**facts)

    @pytest.mark.parametrize(
        ("kind", "condition", "value", "words"),
        [
            ("outside", {"low": 10, "high": 90}, 91.0, "has been above 90 °C since"),
            ("outside", {"low": 90, "high": 190}, 89.0, "has been below 90 °C since"),
            ("inside", {"low": 10, "high": {"attribute": "top"}}, 20.0, "between 10 °C and its top since"),
            ("rate_of_change", {"limit": 2, "per": "PT1M"}, 0.1, "changing by more than 2 °C in 1 min since"),
            ("flatline", {"duration": "PT10M"}, 700.0, "stuck at one value for 10 min or longer since"),
            (
                "flatline",
                {"duration": "PT1H30M", "tolerance": 0.1},
                1.0,
                "stuck within 0.1 °C for 1 h 30 min or longer",
            ),
            ("no_data", {"after": "3x"}, None, "silent for more than 3 of its usual intervals since"),
            ("no_data", {"after": "PT90S"}, None, "silent for 1 min 30 s or longer since"),
            ("deviation", {"sigmas": 3}, 3.4, "more than 3 standard deviations from what is normal for it since"),
            ("forecast", {"horizon": "P1D", "above": 90}, 91.0, "heading for 90 °C within 1 d since"),
            ("control_chart", {"rules": [1, 2]}, None, "out of statistical control (Nelson rules 1, 2) since"),
            (
                "control_chart",
                {"rules": [1, 2, 3]},
                5.0,
                "statistical control: a value beyond 3 sigmas (Nelson rule 1); six values rising or falling in a row (",
            ),
            ("all_of", {"conditions": []}, None, "in a state that meets all of several conditions since"),
            ("of_a_plug_in", {}, 7.0, "in the condition “of_a_plug_in” since"),
            ("", {}, None, "has been as its rule forbids since"),
        ],
    )
    def test_of_each_kind(self, kind, condition, value, words):
        assert words in told(kind=kind, condition={"kind": kind, **condition}, value=value)

    @pytest.mark.parametrize("kind", sorted(conditions.names()))
    def test_needs_nothing_of_a_condition_but_its_kind(self, kind):
        for facts in ({"condition": {}}, {"condition": {"kind": kind}}, {"limit": None, "value": None, "origin": None}):
            assert told(kind=kind, **facts).endswith(").")

    def test_of_an_average(self):
        assert told(definition={"aggregate": {"window": "PT5M"}}).startswith(
            "the average of temperature over 5 min has"
        )
        air = {"kind": "air_quality", "condition": {"limit": 50, "average": "PT24H"}}
        assert told(**air).startswith("the average of temperature over 1 d has been above 90 °C since")

    @pytest.mark.parametrize(
        ("parameter", "condition", "words"),
        [
            pytest.param(
                "pm2_5",
                {"standard": "us_epa", "limit": 150},
                "the Air Quality Index (US EPA) of pm2_5 has been above 150 (NowCast of 12 h above 55.4 µg/m³) since",
                id="a NowCast",
            ),
            pytest.param(
                "o3",
                {"standard": "us_epa", "limit": 150, "method": "average"},
                "has been above 150 (mean of 8 h above 0.085 ppm or mean of 1 h above 0.164 ppm) since",
                id="two averages",
            ),
            pytest.param(
                "pm10",
                {"standard": "eu_eaqi", "limit": {"attribute": "worst"}},
                "the European Air Quality Index of pm10 has been above its worst since",
                id="a limit of the asset",
            ),
            pytest.param(
                "pm10",
                {"standard": "mars", "limit": 3},
                "the index mars of pm10 has been above 3 since",
                id="a standard that was taken away",
            ),
        ],
    )
    def test_of_an_index(self, parameter, condition, words):
        assert words in told(kind="air_quality", parameter=parameter, condition=condition)

    def test_of_an_average_the_highest_reading_is_no_peak(self):
        worst = Extreme(97.2, AT, highest=True)
        assert "; the highest reading was 97.2 °C at" in told(definition={"aggregate": {"window": "PT5M"}}, worst=worst)

    def test_of_several_parameters(self):
        assert told(parameter="a and b", kind="any_of").startswith("a and b have been in a state that meets one of")

    COMBINED = {
        "conditions": [
            {"kind": "above", "limit": 80},
            {
                "kind": "any_of",
                "conditions": [
                    {"kind": "below", "limit": {"attribute": "slow"}, "parameter": "speed"},
                    {"kind": "outside", "low": 1, "high": 2, "parameter": "pressure"},
                    {"kind": "forecast", "above": 9, "horizon": "PT1H", "over": "PT5M", "parameter": "wear"},
                ],
            },
        ]
    }

    def test_of_combined_conditions_names_each(self):
        facts = {"definition": {"parameter": "temperature"}, "condition": self.COMBINED, "parameter": "a and b"}
        assert told(kind="all_of", **facts).startswith(
            "temperature above 80 °C and (speed below its slow or pressure below 1 or above 2 or "
            "wear heading for 9 within 1 h) have held together since 2026-11-21 10:03 UTC (limit of"
        )
        over = told(kind="any_of", until=AT + timedelta(minutes=5), **facts)
        assert " wear heading for 9 within 1 h) held from 2026-11-21 10:03 UTC until it returned at 10:08 (" in over
        assert over.startswith("temperature above 80 °C or (speed below")

    def test_says_what_ended_it(self):
        facts = {"until": AT + timedelta(minutes=5), "ended": "its rule was switched off"}
        assert "from 2026-11-21 10:03 UTC until its rule was switched off at 10:08 (" in told(**facts)

    def test_tells_that_it_was_escalated(self):
        graver = [Escalated(AT + timedelta(minutes=10), "medium", "high")]
        words = " It was escalated from medium to high at 10:13, since nobody had acknowledged it."
        assert told(escalated=graver).endswith(f").{words}")
        assert told(rule=None, escalated=graver).endswith(words)

    @pytest.mark.parametrize(
        ("aside", "words"),
        [
            (
                Aside("shelved", "olga", AT + timedelta(hours=2), "The gauge drifts."),
                "It is shelved, by olga, until 2026-11-21 12:03 UTC: The gauge drifts.",
            ),
            (Aside("out_of_service", "", AT), "It is out of service until 2026-11-21 10:03 UTC."),
            (Aside("suppressed", "work on the asset"), "It is hidden by work on the asset."),
        ],
    )
    def test_tells_what_hides_it(self, aside, words):
        assert told(hidden=[aside]).endswith(f" {words}")

    def test_says_whose_limit_it_was(self):
        assert "(default limit of rule “Hot”, revision 3)" in told(origin=Origin("default", "t_max"))
        assert "(limit of the asset, its attribute t_max; rule “Hot”" in told(origin=Origin("attribute", "t_max"))
        assert "(rule “Hot”)" in told(origin=None, revision=None)

    def test_tells_of_the_on_delay(self):
        assert told(raised_at=AT + timedelta(minutes=5)).endswith("; raised at 10:08, after the on-delay of 5 min.")

    def test_of_what_a_person_reported(self):
        assert told(rule=None, title="It rattles.") == "Somebody reported at 2026-11-21 10:03 UTC: It rattles."
        over = told(rule=None, reporter="olga", until=AT + timedelta(hours=1))
        assert over == "olga reported at 2026-11-21 10:03 UTC: Hot. It was over at 11:03."


class TestOrigin:
    OWN = {"limit": {"attribute": "t_max", "default": 80}}

    @pytest.mark.parametrize(
        ("condition", "attributes", "limit", "value", "origin"),
        [
            ({"limit": 90}, {}, 90.0, 91.0, Origin("rule")),
            (OWN, {"t_max": 95}, 95.0, 96.0, Origin("attribute", "t_max")),
            (OWN, {}, 80.0, 81.0, Origin("default", "t_max")),
            (OWN, {"t_max": 70}, 80.0, 81.0, Origin("default", "t_max")),  # it has been given one since
            (OWN, {"t_max": 70}, 95.0, 96.0, Origin("attribute", "t_max")),  # it was another then
            (OWN, {"t_max": "hot"}, 95.0, 96.0, Origin("attribute", "t_max")),
            ({"low": {"attribute": "a"}, "high": 90}, {"a": 3}, 3.0, 2.0, Origin("attribute", "a")),
            ({"low": {"attribute": "a"}, "high": 90}, {"a": 3}, 90.0, 91.0, Origin("rule")),
            ({"low": 3, "high": {"attribute": "b"}}, {"b": 4}, 90.0, 91.0, Origin("attribute", "b")),
            ({"limit": 120, "per": "PT1M"}, {}, 2.0, 3.0, Origin("rule")),  # told per second
            ({"limit": 90}, {}, None, 91.0, None),
            ({"sigmas": 3}, {}, 3.0, 4.0, None),
            ({}, {}, 3.0, 4.0, None),
        ],
    )
    def test_of_a_limit(self, condition, attributes, limit, value, origin):
        assert origin_of(condition, attributes, limit=limit, value=value) == origin


class TestConditionOf:
    DEFINITION = {
        "conditions": [
            {"kind": "above", "limit": 90, "severity": "critical"},
            {"kind": "above", "limit": 80, "severity": "high"},
            {"kind": "below", "limit": 1},
        ],
        "no_data": {"after": "3x"},
    }

    @pytest.mark.parametrize(
        ("kind", "severity", "found"),
        [
            ("above", "high", {"kind": "above", "limit": 80, "severity": "high"}),
            ("above", "low", {"kind": "above", "limit": 90, "severity": "critical"}),
            ("below", "medium", {"kind": "below", "limit": 1}),
            ("no_data", "medium", {"kind": "no_data", "severity": "medium", "after": "3x"}),
            ("flatline", "high", {}),
        ],
    )
    def test_is_the_one_of_its_kind_and_severity(self, kind, severity, found):
        assert condition_of(self.DEFINITION, kind, severity) == found

    def test_of_nothing_is_nothing(self):
        assert condition_of({}, "above", "high") == {}


@pytest.mark.parametrize(
    ("kind", "limit", "value", "higher"),
    [
        ("above", 1.0, None, True),
        ("below", 1.0, 0.5, False),
        ("outside", 1.0, 0.5, False),
        ("outside", 1.0, 1.5, True),
        ("outside", None, 1.5, None),
        ("deviation", 3.0, -4.0, False),
        ("flatline", 3.0, 4.0, None),
    ],
)
def test_which_side_is_worse(kind, limit, value, higher):
    assert rises(kind, limit=limit, value=value) is higher


def test_parameters_are_the_alert_s_else_those_its_condition_names_else_the_rule_s():
    both = {"conditions": [{"kind": "above", "parameter": "a"}, {"kind": "below", "parameter": "b"}]}
    assert parameters_of("t", both, {"parameter": "x"}) == ["t"]
    assert parameters_of("", both, {"parameter": "x"}) == ["a", "b"]
    assert parameters_of("", {}, {"parameter": "x"}) == ["x"]
    assert parameters_of("", {}, {}) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59.5, "59.5 s"),
        (742.488, "12 min 22 s"),
        (3600, "1 h"),
        (119.9, "2 min"),
        (90061, "1 d 1 h 1 min 1 s"),
    ],
)
def test_durations_are_written_as_people_say_them(seconds, words):
    assert in_words(timedelta(seconds=seconds)) == words


def test_units_are_told_of_each_kind():
    assert all(f"`{kind}`" in UNITS for kind in conditions.names())
