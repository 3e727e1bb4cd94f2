"""Tasks that wait for others: no circle, and no work that must not begin yet."""

from __future__ import annotations

import pytest

from techtrack.accounts.queries import access_of
from techtrack.tasks import services
from techtrack.tasks.models import Block
from tests.factories import NOW, make_task

TASKS = "/api/tasks/"


def url(task, blocker=None):
    return f"{TASKS}{task.pk}/blockers/" + (f"{blocker.pk}/" if blocker else "")


@pytest.fixture
def block(olga):
    """``block(task, blocker)``: olga lets one wait for the other."""
    return lambda task, blocker: services.block(task=task, blocker=blocker, by=access_of(olga), now=NOW)


@pytest.fixture
def tasks(olga):
    """Four tasks of olga's."""
    return [make_task(olga, title=f"T{number}") for number in range(4)]


def state(api, who, task, wanted):
    return api(who).patch(f"{TASKS}{task.pk}/", {"state": wanted}, format="json")


class TestBlock:
    def test_is_made_read_and_taken_back(self, api, olga, tasks):
        one, other = tasks[:2]
        made = api(olga).post(url(one), {"task": other.pk}, format="json")
        assert (made.status_code, made["Location"].endswith(url(one, other))) == (201, True)
        assert {name: made.json()[name] for name in ("task", "title", "state", "due_date", "created_by")} == {
            "task": other.pk,
            "title": "T1",
            "state": "open",
            "due_date": None,
            "created_by": olga.pk,
        }
        assert api(olga).get(url(one)).json()["results"] == [made.json()]
        assert api(olga).get(url(one, other)).json() == made.json()
        assert api(olga).delete(url(one, other), HTTP_IF_MATCH='"1"').status_code == 204
        assert api(olga).get(url(one, other)).status_code == 404

    def test_of_what_waits_already_is_a_conflict(self, api, olga, tasks, block):
        block(tasks[0], tasks[1])
        told = api(olga).post(url(tasks[0]), {"task": tasks[1].pk}, format="json")
        assert (told.status_code, told.json()["code"]) == (409, "blocked_already")

    @pytest.mark.parametrize("length", [1, 2, 4], ids=["itself", "each other", "a long way round"])
    def test_of_a_circle_is_a_conflict(self, api, olga, tasks, block, length):
        for number in range(length - 1):
            block(tasks[number], tasks[number + 1])
        told = api(olga).post(url(tasks[length - 1]), {"task": tasks[0].pk}, format="json")
        assert (told.status_code, told.json()["code"]) == (409, "circular_block")

    def test_of_two_ways_to_the_same_task_is_no_circle(self, tasks, block):
        for one, other in ((0, 1), (0, 2), (1, 3), (2, 3)):
            block(tasks[one], tasks[other])
        assert Block.objects.count() == 4

    def test_needs_to_see_both_and_to_change_one(self, api, olga, vera, erik, robot, mallory):
        mine, seen, foreign = make_task(olga), make_task(erik, asset_id=robot.pk), make_task(mallory)
        assert api(olga).post(url(mine), {"task": seen.pk}, format="json").status_code == 201
        told = api(olga).post(url(mine), {"task": foreign.pk}, format="json")
        assert (told.status_code, told.json()["errors"][0]["pointer"]) == (400, "/task")
        assert api(vera).post(url(seen), {"task": seen.pk}, format="json").status_code == 403
        assert api(vera).post(url(mine), {"task": seen.pk}, format="json").status_code == 404
        assert api(erik).get(url(seen)).json()["count"] == 0

    def test_by_what_one_may_not_see_tells_its_id_alone(self, api, olga, vera, erik, mallory, robot):
        task, secret = make_task(olga, asset_id=robot.pk), make_task(olga, due_date=NOW)
        api(olga).post(url(task), {"task": secret.pk}, format="json")
        [told] = api(vera).get(url(task)).json()["results"]
        assert (told["task"], told["title"], told["state"], told["due_date"]) == (secret.pk, None, None, None)
        assert api(vera).get(url(task, secret)).json() == told
        [shown] = api(olga).get(url(task)).json()["results"]
        assert (shown["title"], shown["state"]) == (secret.title, "open")
        assert api(mallory).get(url(task)).status_code == 404

    def test_by_what_one_may_not_see_is_taken_back_by_who_may_change_what_waits(self, api, olga, vera):
        """Vera lets a task of olga's wait for one of her own; olga must be able to finish it."""
        task = make_task(olga)
        task.share_rows.create(user=vera, level="write")
        secret = make_task(vera)
        assert api(vera).post(url(task), {"task": secret.pk}, format="json").status_code == 201
        assert state(api, olga, task, "done").json()["code"] == "task_blocked"
        assert api(olga).delete(url(task, secret)).status_code == 204
        assert state(api, olga, task, "done").status_code == 200

    def test_by_what_is_deleted_is_none(self, api, olga, tasks, block):
        block(tasks[0], tasks[1])
        api(olga).delete(f"{TASKS}{tasks[1].pk}/")
        assert api(olga).get(url(tasks[0])).json()["count"] == 0


class TestWaiting:
    @pytest.mark.parametrize("wanted", ["in_progress", "done"])
    def test_work_neither_begins_nor_ends(self, api, olga, tasks, block, wanted):
        block(tasks[0], tasks[1])
        told = state(api, olga, tasks[0], wanted)
        assert (told.status_code, told.json()["code"]) == (409, "task_blocked")
        assert state(api, olga, tasks[1], "done").status_code == 200
        assert state(api, olga, tasks[0], wanted).status_code == 200

    @pytest.mark.parametrize("wanted", ["on_hold", "cancelled"])
    def test_work_may_be_put_off_or_given_up(self, api, olga, tasks, block, wanted):
        block(tasks[0], tasks[1])
        assert state(api, olga, tasks[0], wanted).status_code == 200

    def test_ends_when_what_is_waited_for_is_deleted(self, api, olga, tasks, block):
        block(tasks[0], tasks[1])
        api(olga).delete(f"{TASKS}{tasks[1].pk}/")
        assert state(api, olga, tasks[0], "in_progress").status_code == 200

    def test_is_not_asked_of_work_that_goes_on(self, api, olga, tasks, block):
        going = state(api, olga, tasks[0], "in_progress").json()
        block(tasks[0], tasks[1])
        told = api(olga).put(f"{TASKS}{tasks[0].pk}/", going | {"title": "New"}, format="json")
        assert told.status_code == 200

    def test_can_be_asked_for_in_the_list(self, api, olga, tasks, block):
        block(tasks[0], tasks[1])
        found = {flag: api(olga).get(TASKS, {"blocked": flag}).json()["results"] for flag in ("true", "false")}
        assert [one["id"] for one in found["true"]] == [tasks[0].pk]
        assert {one["id"] for one in found["false"]} == {task.pk for task in tasks[1:]}
