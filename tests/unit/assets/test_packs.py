"""Packs read from text: what a file must say, and how its mistakes are named."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from techtrack.assets.domain.packs import parse, watched
from techtrack.core.errors import Invalid

SPEED = {"code": "speed", "label": "Speed", "unit": "/min", "minimum": 0, "maximum": 3000, "typical": 1480}
RULE = {"name": "Too fast", "parameter": "speed", "conditions": [{"kind": "above", "limit": 2000, "severity": "low"}]}
FAN = {
    "slug": "fan",
    "name": "Fan",
    "description": "It blows.",
    "expected_interval": "PT10S",
    "retention": "P30D",
    "parameters": [SPEED],
    "rules": [RULE],
    "sources": ["Ours."],
}
ELSEWHERE = {"kind": "all_of", "conditions": [{"kind": "above", "parameter": "torque", "limit": 1}]}


def text(**changes):
    """A pack's file: JSON is YAML."""
    return json.dumps(FAN | changes)


class TestParse:
    def test_fills_the_columns_of_a_type(self):
        assert parse(text()).columns() == {
            "slug": "fan",
            "name": "Fan",
            "expected_interval": timedelta(seconds=10),
            "retention": timedelta(days=30),
            "parameters": [{"code": "speed", "label": "Speed", "unit": "/min", "minimum": 0.0, "maximum": 3000.0}],
            "running": None,
        }

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"slug": "A fan"}, "/slug", id="no slug"),
            pytest.param({"colour": "red"}, "/colour", id="a member that no pack has"),
            pytest.param({"retention": "a month"}, "/retention", id="no duration"),
            pytest.param({"parameters": [SPEED | {"code": "Speed"}]}, "/parameters/0/code", id="no code"),
            pytest.param({"parameters": [SPEED | {"typical": 4000}]}, "/parameters/0/typical", id="typical is not"),
            pytest.param({"parameters": [SPEED | {"minimum": "0"}]}, "/parameters/0/minimum", id="text for a number"),
            pytest.param({"parameters": [SPEED, SPEED]}, "/parameters", id="a parameter twice"),
            pytest.param({"rules": [{"parameter": "speed"}]}, "/rules/0/name", id="a rule without name"),
            pytest.param({"rules": [RULE | {"scope": {}}]}, "/rules/0/scope", id="a rule with a scope"),
            pytest.param({"rules": [RULE | {"parameter": "torque"}]}, "/rules/0", id="a rule on something else"),
            pytest.param({"rules": [RULE | {"conditions": [ELSEWHERE]}]}, "/rules/0", id="a condition on it"),
            pytest.param({"rules": [RULE, RULE]}, "/rules", id="a rule twice"),
        ],
    )
    def test_names_the_place_of_a_mistake(self, changes, pointer):
        with pytest.raises(Invalid) as refused:
            parse(text(**changes))
        assert [fault.pointer for fault in refused.value.faults] == [pointer]

    @pytest.mark.parametrize("name", sorted(FAN))
    def test_asks_for_every_member(self, name):
        with pytest.raises(Invalid):
            parse(json.dumps({key: value for key, value in FAN.items() if key != name}))

    def test_refuses_what_is_no_pack(self):
        with pytest.raises(Invalid):
            parse("- a\n- b\n")


class TestWatched:
    def test_finds_parameters_however_deep(self):
        assert list(watched({"parameter": "a", "conditions": [ELSEWHERE, {"parameter": ""}]})) == ["a", "torque"]
