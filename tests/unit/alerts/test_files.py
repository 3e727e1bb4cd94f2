"""Rules as files: what is read is proved with its place, what is written is read again, and differences are told."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.alerts.domain import files
from techtrack.alerts.domain.files import BadFile, Difference, Names, RuleName
from techtrack.core import plain_yaml
from tests.unit.alerts.mutations import places, with_one_changed

HOT = """
rules:
  - name: Hot
    scope: {asset_type: robot, tags: [b, a]}
    parameter: temperature
    conditions:
      - {kind: above, limit: 80}
      - {kind: above, limit: 90, severity: critical}
    on_delay: PT60S
    aggregate: {window: PT60S}
    guidance: {action: Look., respond_within: PT90M}
"""


def rule(**members):
    """A rule of a file as YAML's flow, which JSON is."""
    plain = {"name": "Hot", "parameter": "temperature", "conditions": [{"kind": "above", "limit": 80}]}
    return "rules:\n  - " + json.dumps(plain | members) + "\n"


def faults(text, **options):
    with pytest.raises(BadFile) as refused:
        files.read(text, **options)
    return [(fault.pointer, fault.detail) for fault in refused.value.faults]


class TestRead:
    def test_fills_in_defaults_and_writes_durations_in_one_way(self):
        (one,) = files.read(HOT).rules
        assert one.name == RuleName("Hot", Names(asset_type="robot", tags=["b", "a"]))
        assert one.told["on_delay"] == "PT1M"
        assert one.told["aggregate"] == {"window": "PT1M", "statistic": "avg", "min_completeness": 0.0}
        assert [clause["severity"] for clause in one.told["conditions"]] == ["critical", "medium"]
        assert one.told["guidance"] == {"action": "Look.", "respond_within": "PT1H30M"}
        assert one.columns["late_max_age"] == timedelta(hours=1)
        assert one.columns["no_data"] is None

    def test_reads_durations_as_the_api_does(self):
        (one,) = files.read(rule(reraise_window="P1W", guidance={"respond_within": "PT90S"})).rules
        assert (one.told["reraise_window"], one.told["guidance"]["respond_within"]) == ("P7D", "PT1M30S")
        assert faults(rule(guidance={"respond_within": "-P1D"}))[0][0] == "#/rules/0/guidance/respond_within"

    def test_tells_all_that_is_wrong_with_its_place(self):
        bad = [
            {"conditions": [{"kind": "above", "limit": "hot"}]},
            {"name": "Other", "on_delay": "5 minutes"},
            {"name": "Third", "colour": "red"},
        ]
        text = "rules:\n" + "".join("  - " + rule(**one).split("- ", 1)[1] for one in bad)
        assert [pointer for pointer, _ in faults(text, source="x.yaml")] == [
            "x.yaml#/rules/0/conditions/0/limit",
            "x.yaml#/rules/1/on_delay",
            "x.yaml#/rules/2/colour",
        ]

    @pytest.mark.parametrize(
        ("text", "pointer", "said"),
        [
            pytest.param("a: 1", "", "begins with `rules:`", id="no rules"),
            pytest.param("- 1", "", "begins with `rules:`", id="a list"),
            pytest.param("rules: {}", "/rules", "a list", id="rules that are no list"),
            pytest.param("rules: [1]", "/rules/0", "an object", id="a rule that is none"),
            pytest.param("rules: []\nrulez: []", "/rulez", "not known", id="a member nobody knows"),
            pytest.param("rules: []\nsite: 3", "/site", "name of a site", id="a site by number"),
            pytest.param("a: [", "", "expected", id="no YAML"),
            pytest.param("rules: [{name: x}]", "/rules/0/conditions", "required", id="no condition"),
            pytest.param(rule(name=""), "/rules/0/name", "length", id="no name"),
            pytest.param(rule(scope={"site": 2}), "/rules/0/scope/site", "a text", id="an id"),
            pytest.param(rule(parameter="Not a code"), "/rules/0/parameter", "regex", id="no code"),
            pytest.param(rule(deadband=-1), "/rules/0/deadband", ">= 0", id="a deadband below zero"),
            pytest.param(rule(on_delay="-PT5M"), "/rules/0/on_delay", "duration", id="a delay below zero"),
            pytest.param(rule(conditions=[]), "/rules/0/conditions", "1 to", id="no conditions"),
            pytest.param(rule(schedule={"timezone": "UTC"}), "/rules/0/schedule", "required", id="half a schedule"),
            pytest.param(
                rule(escalation=[{"after": "PT0S", "severity": "low"}]),
                "/rules/0/escalation/0/after",
                "above zero",
                id="a stage at once",
            ),
            pytest.param(rule(open_task={"priority": 5}), "/rules/0/open_task/priority", "<= 4", id="a priority"),
            pytest.param(rule(inhibited_by=[3]), "/rules/0/inhibited_by/0", "a text", id="a rule by id"),
            pytest.param("site: Plant\n" + rule(), "/rules/0/scope/site", "'Plant'", id="a rule of another site"),
        ],
    )
    def test_refuses(self, text, pointer, said):
        ((place, detail),) = faults(text)
        assert place == f"#{pointer}"
        assert said in detail

    def test_refuses_two_that_are_known_by_the_same(self):
        twice = HOT + HOT.removeprefix("\nrules:\n").replace("[b, a]", "[a, b]")
        ((place, detail),) = faults(twice)
        assert place == "#/rules/1/name"
        assert "name or scope must differ" in detail


FULL = {
    "name": "Hot",
    "scope": {"site": "A", "asset_type": "robot", "assets": ["a"], "tags": ["b"]},
    "parameter": "t",
    "aggregate": {"window": "PT1M", "statistic": "max", "min_completeness": 0.5},
    "conditions": [
        {"kind": "above", "limit": {"attribute": "t_max", "default": 80}, "severity": "high"},
        {"kind": "any_of", "conditions": [{"kind": "below", "limit": 3}, {"kind": "flatline", "duration": "PT5M"}]},
    ],
    "deadband": 2,
    "on_delay": "PT1M",
    "count": {"n": 2, "of": 3},
    "no_data": {"after": "3x", "policy": "alert", "severity": "low"},
    "late_data": {"max_age": "PT1H"},
    "schedule": {"timezone": "UTC", "rrule": "FREQ=DAILY", "duration": "PT8H"},
    "inhibited_by": ["B", {"name": "C", "scope": {"site": "A"}}],
    "escalation": [{"after": "PT10M", "severity": "critical"}],
    "open_task": {"title": "Look", "priority": 2},
    "guidance": {"action": "Look", "respond_within": "PT10M"},
}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["PT0S", "-P1D", "3x"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["kind", "after", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


class TestFuzz:
    @settings(max_examples=500, deadline=None)
    @given(st.sampled_from(list(places(FULL))), ANYTHING)
    def test_any_member_that_is_wrong_is_refused_in_words(self, path, value):
        rules, faults = read_or_refused(plain_yaml.dump({"rules": [with_one_changed(FULL, path, value)]}))
        assert all(fault.pointer.startswith("#") and fault.detail for fault in faults)
        for one in rules:
            told = files.normal(one.told | {"scope": vars_of(one.name.scope)})
            (again,) = files.read(files.write([told])).rules
            assert (again.name, again.told) == (one.name, one.told)


def read_or_refused(text):
    try:
        return files.read(text).rules, ()
    except BadFile as refused:
        return [], refused.faults


def vars_of(names):
    return {name: getattr(names, name) for name in names.__slots__}


class TestWrite:
    def test_leaves_out_defaults_and_is_sorted(self):
        (one,) = files.read(HOT).rules
        told = files.normal(one.told | {"scope": {"asset_type": "robot"}})
        text = files.write([told, told | {"name": "Cold", "enabled": False}])
        assert text.startswith("# ")
        assert text.partition("rules:\n")[2] == (
            "\n"
            "  - name: Cold\n"
            "    enabled: false\n"
            "    scope: {asset_type: robot}\n"
            "    parameter: temperature\n"
            "    aggregate: {window: PT1M, statistic: avg, min_completeness: 0}\n"
            "    conditions:\n"
            "      - {kind: above, limit: 90, severity: critical}\n"
            "      - {kind: above, limit: 80, severity: medium}\n"
            "    on_delay: PT1M\n"
            "    guidance: {action: Look., respond_within: PT1H30M}\n"
            "\n"
            "  - name: Hot\n"
            "    scope: {asset_type: robot}\n"
            "    parameter: temperature\n"
            "    aggregate: {window: PT1M, statistic: avg, min_completeness: 0}\n"
            "    conditions:\n"
            "      - {kind: above, limit: 90, severity: critical}\n"
            "      - {kind: above, limit: 80, severity: medium}\n"
            "    on_delay: PT1M\n"
            "    guidance: {action: Look., respond_within: PT1H30M}\n"
        )

    def test_of_no_rules_is_a_file(self):
        assert files.read(files.write([], site="Plant")) == ([], "Plant")


class TestDifferences:
    def test_are_told_member_by_member(self):
        before = {"a": 1, "b": {"c": [1, {"d": 2}], "e": 3}, "f": 0}
        after = {"a": 1.0, "b": {"c": [1, {"d": 4}, 5], "e": 3}, "g": None, "f": None}
        assert files.differences(before, after) == [
            Difference("/b/c/1/d", 2, 4),
            Difference("/b/c/2", None, 5),
            Difference("/f", 0, None),
        ]
