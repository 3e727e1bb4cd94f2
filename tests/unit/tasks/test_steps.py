"""The steps of a checklist: what is refused, what is only bad, and what is still open."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.steps import (
    MOST_STEPS,
    Answer,
    Choice,
    Meter,
    Number,
    Progress,
    RunsBackwards,
    StepsOpen,
    Text,
    Tick,
    Verdict,
    dump_steps,
    judge,
    parse_answers,
    parse_steps,
    progress,
    refuse_open,
)

TICK = {"type": "tick", "title": "Lock out", "key": "lock_out"}
NUMBER = {"type": "number", "title": "Belt tension", "key": "tension", "unit": "N", "low": 40, "high": 60}
TEXT = {"type": "text", "title": "What was found", "key": "found", "required": False}
CHOICE = {"type": "choice", "title": "Seal", "key": "seal", "options": ["dry", "wet"], "failing": ["wet"]}
METER = {"type": "meter", "title": "Hours run", "key": "hours", "unit": "h"}
ALL = [TICK, NUMBER, TEXT, CHOICE, METER]
STEPS = parse_steps(ALL)


def pointers(call, *args, **kwargs):
    with pytest.raises(Invalid) as caught:
        call(*args, **kwargs)
    return [fault.pointer for fault in caught.value.faults]


def answers(raw, before=()):
    return parse_answers(STEPS, raw, before=dict(before))


class TestParseSteps:
    def test_builds_each_kind(self):
        assert [type(step) for step in STEPS] == [Tick, Number, Text, Choice, Meter]
        assert STEPS[1] == Number(key="tension", title="Belt tension", unit="N", low=40.0, high=60.0)

    def test_is_the_inverse_of_dump(self):
        assert parse_steps(dump_steps(STEPS)) == STEPS

    def test_names_steps_without_a_key_by_one_that_is_free(self):
        bare = [{"type": "tick", "title": "Oil"}, {"type": "tick", "title": "Grease", "key": "step_1"}]
        more = [*bare, {"type": "tick", "title": "Belt"}]
        assert [step.key for step in parse_steps(more, taken=["step_2"])] == ["step_3", "step_1", "step_4"]

    def test_takes_limits_on_either_side_or_none(self):
        one = {"type": "number", "title": "x"}
        for limits in ({}, {"low": 1}, {"high": 1}, {"low": 1, "high": 1}):
            assert parse_steps([one | limits])

    @pytest.mark.parametrize(
        ("place", "changes", "pointer"),
        [
            pytest.param(0, {"type": "signature"}, "/0/type", id="a kind that there is not"),
            pytest.param(0, {"type": ["tick"]}, "/0/type", id="a kind that is no text"),
            pytest.param(0, {"title": " "}, "/0/title", id="no title"),
            pytest.param(0, {"title": "x" * 301}, "/0/title", id="a title too long"),
            pytest.param(0, {"title": 7}, "/0/title", id="a title that is a number"),
            pytest.param(0, {"key": "Lock out"}, "/0/key", id="a key that is no code"),
            pytest.param(0, {"hint": "x" * 2001}, "/0/hint", id="a hint too long"),
            pytest.param(0, {"required": "yes"}, "/0/required", id="required in words"),
            pytest.param(0, {"low": 3}, "/0/low", id="a limit of another kind"),
            pytest.param(1, {"high": 39}, "/1/high", id="limits the wrong way round"),
            pytest.param(1, {"high": "60"}, "/1/high", id="a limit in words"),
            pytest.param(1, {"high": True}, "/1/high", id="a limit that is true"),
            pytest.param(1, {"high": math.inf}, "/1/high", id="a limit without end"),
            pytest.param(1, {"low": math.nan}, "/1/low", id="a limit that is no number"),
            pytest.param(1, {"unit": "x" * 33}, "/1/unit", id="a unit too long"),
            pytest.param(1, {"key": "lock_out"}, "/1/key", id="a key twice"),
            pytest.param(3, {"options": ["dry"]}, "/3/options", id="no choice"),
            pytest.param(3, {"options": [str(n) for n in range(51)]}, "/3/options", id="too many options"),
            pytest.param(3, {"options": ["dry", "wet", "dry"]}, "/3/options/2", id="an option twice"),
            pytest.param(3, {"options": ["dry", ""]}, "/3/options/1", id="an option without a word"),
            pytest.param(3, {"options": ["dry", 7]}, "/3/options/1", id="an option that is a number"),
            pytest.param(3, {"failing": ["damp"]}, "/3/failing/0", id="a bad option that there is not"),
            pytest.param(4, {"high": 3}, "/4/high", id="a limit of a meter"),
        ],
    )
    def test_refuses_and_says_where(self, place, changes, pointer):
        raw = [one | changes if number == place else one for number, one in enumerate(ALL)]
        assert pointers(parse_steps, raw) == [f"/checklist{pointer}"]

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param({}, "", id="no list"),
            pytest.param([TICK] * (MOST_STEPS + 1), "", id="too many"),
            pytest.param(["oil"], "/0", id="a step that is a text"),
            pytest.param([{"type": "tick"}], "/0/title", id="a step without a title"),
            pytest.param([{"type": "choice", "title": "x"}], "/0/options", id="a choice without options"),
            pytest.param([{"title": "x"}], "/0/type", id="a step without a type"),
        ],
    )
    def test_refuses_what_is_no_checklist(self, raw, pointer):
        assert pointers(parse_steps, raw) == [f"/checklist{pointer}"]

    def test_points_to_a_limit_that_no_float_holds(self):
        assert pointers(parse_steps, [NUMBER | {"high": 10**400}]) == ["/checklist/0/high"]


class TestParseAnswers:
    def test_takes_an_answer_of_each_kind(self):
        raw = {
            "lock_out": {"value": True},
            "tension": {"value": 51},
            "found": {"value": "A worn belt"},
            "seal": {"value": "wet"},
            "hours": {"value": 1200.5},
        }
        assert answers(raw) == {key: Answer(one["value"]) for key, one in raw.items()}

    def test_takes_one_back(self):
        assert answers({"tension": None}) == {"tension": None}

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            pytest.param("tension", "51", id="a number in quotes"),
            pytest.param("tension", True, id="true for a number"),
            pytest.param("tension", None, id="null for a number"),
            pytest.param("tension", math.nan, id="not a number"),
            pytest.param("tension", math.inf, id="without end"),
            pytest.param("tension", 10**400, id="an integer that no float holds"),
            pytest.param("tension", [51], id="a list"),
            pytest.param("lock_out", 1, id="a tick that is a number"),
            pytest.param("lock_out", "yes", id="a tick in words"),
            pytest.param("found", " \n", id="a text without a word"),
            pytest.param("found", "x" * 5001, id="a text too long"),
            pytest.param("found", 7, id="a text that is a number"),
            pytest.param("seal", "damp", id="none of the options"),
            pytest.param("seal", ["dry"], id="options in a list"),
            pytest.param("hours", -1, id="a meter below zero"),
        ],
    )
    def test_refuses_what_is_no_answer(self, key, value):
        assert pointers(answers, {key: {"value": value}}) == [f"/answers/{key}/value"]

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param([], "", id="a list"),
            pytest.param({"oil": {"value": True}}, "/oil", id="a step that there is not"),
            pytest.param({"a/b": {"value": True}}, "/a~1b", id="a key that a pointer must escape"),
            pytest.param({"tension": 51}, "/tension", id="a bare value"),
            pytest.param({"tension": {}}, "/tension", id="no value"),
            pytest.param({"tension": {"value": 51, "unit": "N"}}, "/tension", id="a member that nobody reads"),
            pytest.param({"tension": {"value": 51, "restarted": True}}, "/tension", id="a gauge that restarted"),
            pytest.param({"hours": {"value": 5, "restarted": 1}}, "/hours/restarted", id="restarted as a number"),
        ],
    )
    def test_refuses_another_form(self, raw, pointer):
        assert pointers(answers, raw) == [f"/answers{pointer}"]

    def test_names_every_slip_of_a_page(self):
        raw = {"tension": {"value": "x"}, "lock_out": {"value": True}, "hours": {"value": 3}}
        assert pointers(answers, raw, {"hours": 5.0}) == ["/answers/tension/value", "/answers/hours/value"]

    @pytest.mark.parametrize(
        ("reading", "fits"),
        [
            pytest.param({"value": 1200.5}, True, id="stands still"),
            pytest.param({"value": 1300}, True, id="counted on"),
            pytest.param({"value": 1200}, False, id="runs backwards"),
            pytest.param({"value": 3, "restarted": False}, False, id="runs backwards and says it did not restart"),
            pytest.param({"value": 3, "restarted": True}, True, id="was replaced"),
        ],
    )
    def test_a_meter_counts_up_unless_it_was_restarted(self, reading, fits):
        if fits:
            assert answers({"hours": reading}, {"hours": 1200.5})["hours"].value == reading["value"]
        else:
            with pytest.raises(RunsBackwards, match=r"1200\.5"):
                answers({"hours": reading}, {"hours": 1200.5})

    @given(st.floats() | st.integers())
    def test_every_finite_number_is_recorded_and_judged(self, value):
        try:
            found = answers({"tension": {"value": value}})["tension"]
        except Invalid:
            assert not abs(value) <= 1e300
        else:
            assert judge(STEPS[1], found) is (Verdict.PASSED if 40 <= value <= 60 else Verdict.FAILED)


class TestJudge:
    @pytest.mark.parametrize(
        ("step", "value", "verdict"),
        [
            pytest.param(0, True, Verdict.PASSED, id="ticked"),
            pytest.param(0, False, Verdict.OPEN, id="not ticked yet"),
            pytest.param(1, 40.0, Verdict.PASSED, id="rests on the low limit"),
            pytest.param(1, 60.0, Verdict.PASSED, id="rests on the high limit"),
            pytest.param(1, 39.9, Verdict.FAILED, id="too low"),
            pytest.param(1, 60.1, Verdict.FAILED, id="too high"),
            pytest.param(2, "worn", Verdict.PASSED, id="described"),
            pytest.param(3, "dry", Verdict.PASSED, id="a good option"),
            pytest.param(3, "wet", Verdict.FAILED, id="a bad option"),
            pytest.param(4, 0.0, Verdict.PASSED, id="a new meter"),
            pytest.param(3, "damp", Verdict.OPEN, id="an option that was there once"),
            pytest.param(1, "51", Verdict.OPEN, id="answered when it was a text"),
        ],
    )
    def test_says_what_an_answer_means(self, step, value, verdict):
        assert judge(STEPS[step], Answer(value)) is verdict

    def test_no_answer_is_open(self):
        assert judge(STEPS[0], None) is Verdict.OPEN

    @pytest.mark.parametrize(("limits", "good"), [({"low": 5}, 9e9), ({"high": 5}, -9e9), ({}, -9e9)])
    def test_a_limit_that_is_not_there_binds_nobody(self, limits, good):
        assert judge(Number(title="x", **limits), Answer(good)) is Verdict.PASSED


class TestProgress:
    DONE = {"lock_out": Answer(True), "tension": Answer(99.0), "seal": Answer("wet"), "hours": Answer(7.0)}  # noqa: FBT003

    def test_counts_answers_and_bad_ones(self):
        assert progress(STEPS, self.DONE) == Progress(total=5, answered=4, failed=2)
        assert progress(STEPS, {}) == Progress(5, 0, 0)
        assert progress((), {}) == Progress(0, 0, 0)

    def test_work_is_done_though_it_found_faults_and_said_nothing_that_is_not_required(self):
        refuse_open(STEPS, self.DONE)

    def test_work_is_not_done_while_required_steps_are_open(self):
        given = self.DONE | {"lock_out": Answer(False)}  # noqa: FBT003
        del given["hours"]
        with pytest.raises(StepsOpen) as caught:
            refuse_open(STEPS, given)
        assert [fault.pointer for fault in caught.value.faults] == ["/checklist/0", "/checklist/4"]
        assert {fault.code for fault in caught.value.faults} == {"steps_open"}

    def test_an_empty_checklist_keeps_nothing_from_being_done(self):
        refuse_open((), {})
