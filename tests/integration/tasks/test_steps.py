"""Checklists: their steps as a field of the task, and the answers of technicians."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.tasks.models import MeterAnswer, PlannedTask, Task
from tests import factories
from tests.factories import make_task

TASKS = "/api/tasks/"
CHECKLIST = [
    {"type": "tick", "title": "Lock it out", "key": "lock"},
    {"type": "number", "title": "Belt tension", "key": "belt", "unit": "N", "low": 40.0, "high": 60.0},
    {"type": "choice", "title": "Noise", "key": "noise", "options": ["none", "some"], "failing": ["some"]},
    {"type": "text", "title": "Remarks", "key": "remarks", "required": False},
    {"type": "meter", "title": "Hours", "key": "hours", "unit": "h"},
]
WHY = {"kind": "calendar", "reason": "scheduled", "detail": ""}
GOOD = {"lock": {"value": True}, "belt": {"value": 51.5}, "noise": {"value": "none"}, "hours": {"value": 1200}}


def url(task):
    return f"{TASKS}{task.pk}/answers/"


@pytest.fixture
def answer(api):
    """``answer(olga, task, {"belt": {"value": 51.5}})``: the answer to answers."""
    return lambda who, task, answers, **more: api(who).patch(url(task), {"answers": answers}, format="json", **more)


@pytest.fixture
def checked(olga, robot):
    """A task of olga's about the robot, with a checklist."""
    return make_task(olga, owners=[olga], asset_id=robot.pk, checklist=CHECKLIST)


class TestChecklist:
    def test_is_a_field_whose_steps_get_keys(self, api, olga):
        body = {"title": "Inspect", "checklist": [{"type": "tick", "title": "Look"}, CHECKLIST[1]]}
        made = api(olga).post(TASKS, body, format="json")
        assert made.status_code == 201
        assert [step["key"] for step in made.json()["checklist"]] == ["step_1", "belt"]
        assert made.json()["progress"] == {"total": 2, "answered": 0, "failed": 0}
        # What a client was given it can send back.
        again = api(olga).put(f"{TASKS}{made.json()['id']}/", made.json(), format="json")
        assert (again.status_code, again.json()["checklist"]) == (200, made.json()["checklist"])

    @pytest.mark.parametrize(
        ("checklist", "pointer"),
        [
            pytest.param({}, "/checklist", id="an object"),
            pytest.param(["Look"], "/checklist/0", id="a step that is a text"),
            pytest.param([{"title": "Look"}], "/checklist/0/type", id="no type"),
            pytest.param([CHECKLIST[0], {"type": "guess", "title": "x"}], "/checklist/1/type", id="an unknown type"),
            pytest.param([{"type": "number", "title": "x", "low": "high"}], "/checklist/0/low", id="a limit in words"),
            pytest.param(
                [{"type": "number", "title": "x", "low": 2, "high": 1}], "/checklist/0/high", id="limits crossed"
            ),
            pytest.param([{"type": "choice", "title": "x", "options": ["a"]}], "/checklist/0/options", id="no choice"),
            pytest.param([CHECKLIST[0], CHECKLIST[0]], "/checklist/1/key", id="a key twice"),
            pytest.param(
                [{"type": "tick", "title": "x", "colour": "red"}], "/checklist/0/colour", id="an unknown member"
            ),
        ],
    )
    def test_that_makes_no_sense_is_refused_at_its_place(self, api, olga, checklist, pointer):
        told = api(olga).post(TASKS, {"title": "x", "checklist": checklist}, format="json")
        assert (told.status_code, told.json()["errors"][0]["pointer"]) == (400, pointer)
        assert not Task.objects.exists()

    def test_gives_a_new_step_no_key_that_an_answer_has(self, api, olga):
        made = (
            api(olga).post(TASKS, {"title": "x", "checklist": [{"type": "tick", "title": "a"}]}, format="json").json()
        )
        task = Task.objects.get()
        api(olga).patch(url(task), {"answers": {"step_1": {"value": True}}}, format="json")
        told = api(olga).patch(f"{TASKS}{made['id']}/", {"checklist": [{"type": "text", "title": "b"}]}, format="json")
        assert [step["key"] for step in told.json()["checklist"]] == ["step_2"]
        assert told.json()["answers"] == {}

    def test_is_bounded_as_a_whole(self, api, olga):
        options = [f"{number:03}" + "x" * 97 for number in range(50)]
        step = {"type": "choice", "title": "Which", "options": options, "failing": options}
        body = {"title": "x", "checklist": [step] * 9}
        assert api(olga).post(TASKS, body, format="json").status_code == 201
        told = api(olga).post(TASKS, body | {"checklist": [step] * 10}, format="json")
        assert (told.status_code, told.json()["errors"][0]["pointer"]) == (400, "/checklist")


class TestAnswers:
    def test_to_steps_that_are_gone_go_with_the_next_answer(self, api, olga, checked, answer):
        answer(olga, checked, GOOD)
        api(olga).patch(f"{TASKS}{checked.pk}/", {"checklist": CHECKLIST[:2]}, format="json")
        answer(olga, checked, {"lock": None})
        checked.refresh_from_db()
        assert set(checked.answers) == {"belt"}

    def test_are_recorded_with_who_when_and_what_they_say(self, api, olga, checked, answer):
        told = answer(olga, checked, {"belt": {"value": 39}, "noise": {"value": "none"}})
        assert (told.status_code, told.json()["progress"]) == (200, {"total": 5, "answered": 2, "failed": 1})
        belt = told.json()["answers"]["belt"]
        assert (belt["value"], belt["verdict"], belt["by"]) == (39.0, "failed", olga.pk)
        shown = api(olga).get(f"{TASKS}{checked.pk}/").json()
        assert (shown["answers"], shown["progress"]) == (told.json()["answers"], told.json()["progress"])
        assert shown["version"] == told.json()["version"] == 2
        assert api(olga).get(url(checked)).json() == told.json()

    def test_leave_the_others_and_can_be_taken_back(self, olga, checked, answer):
        answer(olga, checked, GOOD)
        told = answer(olga, checked, {"lock": None, "noise": {"value": "some"}}).json()["answers"]
        assert {key: one["value"] for key, one in told.items()} == {"belt": 51.5, "noise": "some", "hours": 1200.0}

    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            pytest.param({"belt": {"value": "tight"}}, "/answers/belt/value", id="a number that is a word"),
            pytest.param({"belt": {"value": True}}, "/answers/belt/value", id="a number that is a truth"),
            pytest.param({"lock": {"value": "yes"}}, "/answers/lock/value", id="a tick that is a word"),
            pytest.param({"noise": {"value": "loud"}}, "/answers/noise/value", id="no option"),
            pytest.param({"hours": {"value": -1}}, "/answers/hours/value", id="a meter below zero"),
            pytest.param({"hose": {"value": 1}}, "/answers/hose", id="no step"),
            pytest.param({"belt": 51}, "/answers/belt", id="a bare value"),
            pytest.param({"belt": {"value": 51, "restarted": True}}, "/answers/belt", id="a belt that restarts"),
        ],
    )
    def test_that_are_none_are_refused_at_their_places_and_nothing_is_kept(self, olga, checked, answer, given, pointer):
        told = answer(olga, checked, {"lock": {"value": True}} | given)
        assert (told.status_code, [one["pointer"] for one in told.json()["errors"]]) == (400, [pointer])
        checked.refresh_from_db()
        assert (checked.answers, checked.version) == ({}, 1)

    def test_need_who_may_change_the_task(self, olga, vera, mallory, checked, answer):
        checked.share_rows.create(user=mallory, level="comment")
        assert [answer(who, checked, {}).status_code for who in (olga, vera, mallory)] == [200, 403, 403]

    def test_of_finished_work_stand(self, api, olga, checked, answer):
        answer(olga, checked, GOOD)
        api(olga).patch(f"{TASKS}{checked.pk}/", {"state": "done"}, format="json")
        told = answer(olga, checked, {"lock": None})
        assert (told.status_code, told.json()["code"]) == (409, "task_finished")

    def test_with_an_old_version_are_told_what_there_is_now(self, olga, checked, answer):
        answer(olga, checked, {"lock": {"value": True}})
        told = answer(olga, checked, {"lock": None}, HTTP_IF_MATCH='"1"')
        assert (told.status_code, told.json()["current"]["answers"]["lock"]["value"]) == (412, True)

    def test_are_in_the_history(self, api, olga, checked, answer):
        answer(olga, checked, {"lock": {"value": True}})
        told = api(olga).get(f"{TASKS}{checked.pk}/history/").json()["results"]
        assert any("answers" in str(one) for one in told)


class TestMeter:
    @pytest.fixture
    def later(self, olga, robot):
        """The next task about the same robot."""
        return make_task(olga, asset_id=robot.pk, checklist=CHECKLIST)

    def test_shows_no_less_than_when_another_task_read_it(self, olga, checked, later, answer):
        answer(olga, checked, {"hours": {"value": 1200}})
        told = answer(olga, later, {"hours": {"value": 1100}})
        assert (told.status_code, told.json()["errors"][0]["code"]) == (400, "runs_backwards")
        assert told.json()["errors"][0]["pointer"] == "/answers/hours/value"
        assert answer(olga, later, {"hours": {"value": 1100, "restarted": True}}).status_code == 200

    def test_can_be_corrected_where_it_was_read(self, olga, checked, later, answer):
        answer(olga, checked, {"hours": {"value": 12000}})
        assert answer(olga, checked, {"hours": {"value": 1200}}).status_code == 200
        assert answer(olga, later, {"hours": {"value": 1300}}).status_code == 200

    def test_can_be_corrected_when_the_next_task_has_read_it(self, olga, checked, later, answer):
        """What is compared is what it showed before, and not what it shows now."""
        answer(olga, checked, {"hours": {"value": 120}})
        answer(olga, later, {"hours": {"value": 1300}})
        assert answer(olga, checked, {"hours": {"value": 1200}}).status_code == 200
        assert answer(olga, later, {"hours": {"value": 1100}}).status_code == 400
        assert answer(olga, later, {"hours": {"value": 1210}}).status_code == 200

    def test_that_got_its_key_by_its_place_is_another_one_in_another_list(self, api, olga, robot, answer):
        keys = []
        for title, shows in (("Hours run", 9000), ("Parts made", 12)):
            body = {"title": title, "equipment": robot.pk, "checklist": [{"type": "meter", "title": title}]}
            made = api(olga).post(TASKS, body, format="json").json()
            keys.append(made["checklist"][0]["key"])
            told = answer(olga, Task.objects.get(pk=made["id"]), {keys[-1]: {"value": shows}})
            assert told.status_code == 200, told.json()
        assert keys == ["step_1", "step_1"]

    def test_that_got_its_key_by_its_place_is_the_same_one_in_its_series(self, olga, robot, answer):
        bare = [{"type": "meter", "title": "Hours run", "key": "step_1"}]
        first, middle, last = (make_task(olga, asset_id=robot.pk, checklist=bare) for _ in range(3))
        for task, before in ((middle, first), (last, middle)):
            Task.objects.filter(pk=task.pk).update(follows=before)
        assert answer(olga, first, {"step_1": {"value": 9000}}).status_code == 200
        assert answer(olga, last, {"step_1": {"value": 12}}).json()["code"] == "runs_backwards"

    def test_that_got_its_key_by_its_place_is_the_same_one_in_its_plan(self, olga, erik, robot, answer):
        plan = factories.make_plan(robot)
        bare = [{"type": "meter", "title": "Hours run", "key": "step_1"}]
        one, other = (make_task(olga, asset_id=robot.pk, checklist=bare) for _ in range(2))
        for task in (one, other):
            PlannedTask.objects.create(
                task=task, plan=plan, asset_id=robot.pk, due=factories.NOW, grace=timedelta(0), **WHY
            )
        assert answer(olga, one, {"step_1": {"value": 9000}}).status_code == 200
        assert answer(olga, other, {"step_1": {"value": 12}}).json()["code"] == "runs_backwards"

    def test_that_was_taken_back_was_not_read(self, olga, checked, later, answer):
        answer(olga, checked, {"hours": {"value": 1200}})
        answer(olga, checked, {"hours": None})
        assert answer(olga, later, {"hours": {"value": 5}}).status_code == 200

    def test_of_another_asset_is_another_one(self, olga, plant, checked, answer):
        answer(olga, checked, {"hours": {"value": 1200}})
        press = factories.make_equipment(site=plant)
        other = make_task(olga, asset_id=press.pk, checklist=CHECKLIST)
        assert answer(olga, other, {"hours": {"value": 5}}).status_code == 200

    def test_follows_the_task_to_another_asset(self, api, olga, plant, checked, later, answer):
        answer(olga, checked, {"hours": {"value": 1200}})
        press = factories.make_equipment(site=plant)
        api(olga).patch(f"{TASKS}{checked.pk}/", {"equipment": press.pk}, format="json")
        assert MeterAnswer.objects.get().asset_id == press.pk
        assert answer(olga, later, {"hours": {"value": 5}}).status_code == 200

    def test_is_remembered_when_the_task_is_forgotten(self, olga, checked, later, answer):
        answer(olga, checked, {"hours": {"value": 1200}})
        checked.delete()
        assert answer(olga, later, {"hours": {"value": 5}}).status_code == 400


class TestDone:
    def test_is_work_whose_required_steps_are_answered(self, api, olga, checked, answer):
        answer(olga, checked, {key: told for key, told in GOOD.items() if key != "noise"})
        told = api(olga).patch(f"{TASKS}{checked.pk}/", {"state": "done"}, format="json")
        assert (told.status_code, told.json()["code"]) == (400, "steps_open")
        assert [one["pointer"] for one in told.json()["errors"]] == ["/checklist/2"]
        # That something is wrong was found: the work was done.
        answer(olga, checked, {"noise": {"value": "some"}})
        told = api(olga).patch(f"{TASKS}{checked.pk}/", {"state": "done"}, format="json")
        assert (told.status_code, told.json()["progress"]["failed"]) == (200, 1)

    def test_is_not_asked_of_work_that_is_cancelled(self, api, olga, checked):
        assert api(olga).patch(f"{TASKS}{checked.pk}/", {"state": "cancelled"}, format="json").status_code == 200

    def test_is_not_asked_again_of_what_is_done(self, api, olga, checked, answer):
        answer(olga, checked, GOOD)
        done = api(olga).patch(f"{TASKS}{checked.pk}/", {"state": "done"}, format="json").json()
        more = [*CHECKLIST, {"type": "tick", "title": "Sweep", "key": "sweep"}]
        told = api(olga).put(f"{TASKS}{checked.pk}/", done | {"checklist": more}, format="json")
        assert told.status_code == 200, told.json()
