"""By what an alert is hidden: the order of reasons, what matches, and that no rule hides itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.alerts.domain.suppression import (
    Cause,
    InhibitedByItself,
    Quiet,
    Scene,
    Span,
    Subject,
    hidden_by,
    refuse_circle,
)

ALWAYS = Span(0, 100)
SENSOR, HUB, GATEWAY = 3, 2, 1
ALERT = Subject(
    alert=30,
    asset=SENSOR,
    above=(HUB, GATEWAY),
    site=7,
    type="station",
    tags=frozenset({"roof", "old"}),
    severity="low",
    rule=5,
    parameter="pm2_5",
    condition="above",
    inhibited_by=frozenset({6}),
    patience=60,
)
INHIBITING = {HUB: [Cause(20, HUB, 6, "below")]}
SILENT = {GATEWAY: [Cause(10, GATEWAY, 8, "no_data")]}
QUIET = Quiet(4, None, ALWAYS)


def scene(**there):
    return Scene(**there)


class TestHiddenBy:
    @pytest.mark.parametrize(
        ("there", "by"),
        [
            pytest.param({}, "", id="nothing"),
            pytest.param({"causes": INHIBITING}, "rule:6", id="an inhibiting rule above"),
            pytest.param({"causes": {SENSOR: [Cause(31, SENSOR, 6, "below")]}}, "rule:6", id="and of the asset itself"),
            pytest.param({"causes": {HUB: [Cause(20, HUB, 9, "below")]}}, "", id="another rule of another kind"),
            pytest.param({"causes": {HUB: [Cause(20, HUB, 9, "above")]}}, "alert:20", id="the same kind above"),
            pytest.param({"causes": {SENSOR: [Cause(31, SENSOR, 9, "above")]}}, "", id="the same kind beside"),
            pytest.param({"causes": {HUB: [Cause(20, HUB, None, "")]}}, "", id="a report above is no kind"),
            pytest.param({"causes": {99: [Cause(20, 99, 9, "no_data")]}}, "", id="elsewhere"),
            pytest.param({"causes": SILENT}, "alert:10", id="a silent gateway"),
            pytest.param({"causes": {SENSOR: [Cause(30, SENSOR, 6, "no_data")]}}, "", id="not by itself"),
            pytest.param({"work": {SENSOR: ["task:12"]}}, "task:12", id="work"),
            pytest.param({"work": {HUB: ["task:12"]}}, "", id="work elsewhere"),
            pytest.param({"quiets": [QUIET]}, "silence:4", id="a silence"),
            pytest.param({"flooding": {30}}, "flood", id="a flood"),
            pytest.param(
                {
                    "causes": INHIBITING | SILENT,
                    "work": {SENSOR: ["task:12"]},
                    "quiets": [QUIET],
                    "flooding": {30},
                },
                "rule:6",
                id="the rule comes first",
            ),
            pytest.param({"causes": SILENT, "work": {SENSOR: ["task:12"]}}, "task:12", id="then work"),
            pytest.param({"causes": SILENT, "quiets": [QUIET]}, "alert:10", id="then the alert above"),
            pytest.param({"quiets": [QUIET], "flooding": {30}}, "silence:4", id="then the silence"),
        ],
    )
    def test_names_the_first_reason(self, there, by):
        assert hidden_by(ALERT, scene(**there)) == by

    def test_is_the_nearest_of_two_above(self):
        both = {HUB: [Cause(20, HUB, 9, "no_data")], GATEWAY: [Cause(10, GATEWAY, 9, "no_data")]}
        assert hidden_by(ALERT, scene(causes=both)) == "alert:20"

    def test_stays_while_it_can(self):
        held = replace(ALERT, hidden_by="silence:4")
        assert hidden_by(held, scene(quiets=[QUIET], work={SENSOR: ["task:12"]})) == "silence:4"
        assert hidden_by(held, scene(work={SENSOR: ["task:12"]})) == "task:12"

    def test_lasts_a_moment_longer_than_its_cause(self):
        held = replace(ALERT, hidden_by="alert:10")
        for gone, new, old in ((59, "", "alert:10"), (60, "", "")):
            there = scene(causes={GATEWAY: [Cause(10, GATEWAY, 8, "no_data", gone=gone)]})
            assert (hidden_by(ALERT, there), hidden_by(held, there)) == (new, old)

    def test_is_nothing_for_what_a_person_reported(self):
        assert hidden_by(replace(ALERT, rule=None), scene(quiets=[QUIET], work={SENSOR: ["task:12"]})) == ""

    def test_is_no_flood_where_it_is_grave(self):
        assert hidden_by(replace(ALERT, severity="high"), scene(flooding={30})) == ""


class TestQuiet:
    @pytest.mark.parametrize(
        ("site", "matchers", "meant"),
        [
            pytest.param(None, {}, True, id="all"),
            pytest.param(7, {}, True, id="its site"),
            pytest.param(8, {}, False, id="another site"),
            pytest.param(None, {"assets": [SENSOR, 99]}, True, id="its asset"),
            pytest.param(None, {"assets": [HUB]}, False, id="the asset above"),
            pytest.param(None, {"asset_type": "station"}, True, id="its type"),
            pytest.param(None, {"asset_type": "robot"}, False, id="another type"),
            pytest.param(None, {"tags": ["old"]}, True, id="one of its tags"),
            pytest.param(None, {"tags": ["old", "new"]}, False, id="all tags must be there"),
            pytest.param(None, {"severities": ["info", "low"]}, True, id="its severity"),
            pytest.param(None, {"severities": ["info"]}, False, id="another severity"),
            pytest.param(None, {"rules": [5]}, True, id="its rule"),
            pytest.param(None, {"rules": [6]}, False, id="another rule"),
            pytest.param(None, {"parameter": "pm2_5"}, True, id="its parameter"),
            pytest.param(None, {"parameter": "pm10"}, False, id="another parameter"),
            pytest.param(7, {"tags": ["old"], "rules": [6]}, False, id="all must match"),
        ],
    )
    def test_matches_what_all_that_is_set_says(self, site, matchers, meant):
        assert Quiet.of(4, site, ALWAYS, matchers).matches(ALERT) is meant


class TestSpan:
    def test_begins_and_ends(self):
        span = Span(10, 20)
        assert [span.covers(at) for at in (9, 10, 19, 20)] == [False, True, True, False]
        assert [span.next_change(at) for at in (9, 10, 19, 20)] == [10, 20, 20, None]


class TestInhibition:
    @pytest.mark.parametrize(
        ("inhibited_by", "known"),
        [
            pytest.param([1], {}, id="itself"),
            pytest.param([2], {2: [1]}, id="each other"),
            pytest.param([4, 2], {2: [3], 3: [5, 1]}, id="in a circle"),
        ],
    )
    def test_of_a_rule_by_itself_is_refused(self, inhibited_by, known):
        with pytest.raises(InhibitedByItself):
            refuse_circle(1, inhibited_by, known)

    def test_of_others_in_a_circle_ends(self):
        refuse_circle(1, [2], {2: [3], 3: [2]})

    @given(st.dictionaries(st.integers(0, 5), st.sets(st.integers(0, 5), max_size=3)))
    def test_one_by_one_never_closes_a_circle(self, wishes):
        known: dict[int, set[int]] = {}
        for rule, wish in wishes.items():
            try:
                refuse_circle(rule, wish, known)
            except InhibitedByItself:
                continue
            known[rule] = wish
        # Without a circle there is always a rule that none of the rest inhibits.
        left = dict(known)
        while left:
            free = [rule for rule, by in left.items() if not by & set(left)]
            assert free
            for rule in free:
                del left[rule]
