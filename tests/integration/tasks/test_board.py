"""The board: each state is a column, in the order in which people put it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from techtrack.accounts.queries import access_of
from techtrack.live.models import LiveEvent
from techtrack.tasks import queries, services
from techtrack.tasks.models import Task
from tests import factories
from tests.integration.tasks.racing import losers, race

TASKS = "/api/tasks/"


@pytest.fixture
def move(api):
    def post(user, task, **body):
        named = {name: one.pk if isinstance(one, Task) else one for name, one in body.items()}
        return api(user).post(f"{TASKS}{task.pk}/move/", named, format="json")

    return post


@pytest.fixture
def column(api, olga):
    """The titles of a column, from the top, as olga sees it."""

    def get(state="open"):
        found = api(olga).get(f"{TASKS}?state={state}&ordering=position").json()["results"]
        return "".join(row["title"] for row in found)

    return get


@pytest.fixture
def four(olga):
    """Tasks A to D, each made a minute after the one before."""
    return [
        services.create_task(by=access_of(olga), data={"title": title}, now=factories.NOW + timedelta(minutes=number))
        for number, title in enumerate("ABCD")
    ]


class TestMove:
    def test_begins_in_the_order_in_which_tasks_were_made(self, api, olga, column):
        for title in "ABC":
            api(olga).post(TASKS, {"title": title}, format="json")
        assert column() == "ABC"

    @pytest.mark.parametrize(
        ("which", "where", "found"),
        [
            pytest.param(0, {"after": 2}, "BCAD", id="down, behind another"),
            pytest.param(3, {"before": 1}, "ADBC", id="up, before another"),
            pytest.param(3, {"before": 0}, "DABC", id="to the top"),
            pytest.param(0, {"after": 3}, "BCDA", id="to the bottom"),
            pytest.param(1, {}, "ACDB", id="to the end, if nothing is said"),
            pytest.param(1, {"after": 0}, "ABCD", id="where it is"),
        ],
    )
    def test_puts_a_task_where_one_says(self, move, olga, four, column, which, where, found):
        answer = move(olga, four[which], **{name: four[index] for name, index in where.items()})
        assert (answer.status_code, answer["ETag"]) == (200, '"2"')
        assert column() == found

    def test_takes_a_task_to_another_column(self, move, olga, four, column, make_task):
        other = make_task(olga, title="X", state="on_hold")
        answer = move(olga, four[1], state="on_hold", before=other)
        assert (answer.status_code, answer.json()["state"]) == (200, "on_hold")
        assert (column(), column("on_hold")) == ("ACD", "BX")

    def test_to_done_makes_it_done(self, move, olga, four):
        assert move(olga, four[1], state="done").json()["completed_at"]

    def test_goes_on_where_no_number_is_left(self, move, olga, four, column):
        # Into the same gap again and again: half of it is left each time.
        for _ in range(40):
            move(olga, four[2], after=four[0])
            move(olga, four[3], after=four[0])
        assert column() == "ADCB"
        places = list(Task.objects.order_by("position").values_list("position", flat=True))
        assert all(low < high for low, high in pairwise(places))

    def test_that_makes_room_tells_of_those_that_were_moved_and_leaves_their_versions(self, move, olga, four, column):
        Task.objects.update(position=5.0)
        # At one place the newest stands first.
        assert column() == "DCBA"
        LiveEvent.objects.all().delete()
        move(olga, four[0], after=four[3])
        assert column() == "DACB"
        told = {event.payload["task"]["id"] for event in LiveEvent.objects.all()}
        moved = {task.pk for task in Task.objects.exclude(position=5.0)}
        assert told == moved
        assert set(Task.objects.exclude(pk=four[0].pk).values_list("version", flat=True)) == {1}

    def test_of_one_task_leaves_the_others_where_they_are(self, move, olga, four):
        before = dict(Task.objects.exclude(pk=four[0].pk).values_list("pk", "position"))
        move(olga, four[0], after=four[2])
        assert dict(Task.objects.exclude(pk=four[0].pk).values_list("pk", "position")) == before

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({"state": "lost"}, "/state", id="an unknown column"),
            pytest.param({"before": 999_999}, "/before", id="an unknown neighbour"),
            pytest.param({"after": "1"}, "/after", id="a text for an id"),
            pytest.param({"above": 1}, "/above", id="an unknown word"),
        ],
    )
    def test_names_what_is_wrong(self, api, olga, four, body, pointer):
        answer = api(olga).post(f"{TASKS}{four[0].pk}/move/", body, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)

    def test_takes_one_neighbour_of_the_same_column_that_is_another_task(self, move, olga, four, make_task):
        other = make_task(olga, state="done")
        for body, pointer in [
            ({"before": four[1], "after": four[2]}, "/after"),
            ({"before": other}, "/before"),
            ({"after": four[0]}, "/after"),
            ({"state": "done", "after": four[1]}, "/after"),
        ]:
            answer = move(olga, four[0], **body)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)

    def test_needs_the_right_to_change_the_task_and_to_see_the_neighbour(
        self, move, olga, erik, vera, oscar, mallory, robot, make_task
    ):
        task, private = make_task(olga, asset=robot), make_task(olga)
        for user, status in [(erik, 200), (vera, 403), (oscar, 404), (mallory, 404)]:
            assert move(user, task).status_code == status
        assert move(erik, task, after=private).status_code == 400

    def test_beside_a_deleted_task_is_refused(self, move, olga, four):
        services.delete_task(task=four[1], by=access_of(olga), expected=None, now=factories.NOW)
        assert move(olga, four[0], after=four[1]).status_code == 400

    def test_beside_one_that_has_gone_meanwhile_is_refused(self, olga, four):
        for leave in (
            lambda: services.update_task(
                task=four[1], by=access_of(olga), changes={"state": "done"}, expected=None, now=factories.NOW
            ),
            lambda: Task.objects.filter(pk=four[1].pk).delete(),
        ):
            neighbour = queries.whole(four[1].pk)
            leave()
            with pytest.raises(services.OtherColumn) as caught:
                services.move_task(
                    task=four[0], by=access_of(olga), state=None, before=None, after=neighbour, now=factories.NOW
                )
            assert caught.value.faults[0].pointer == "/after"

    @pytest.mark.django_db(transaction=True)
    def test_of_many_to_one_gap_puts_all_of_them_there(self, olga, make_task):
        first, last = make_task(olga, title="first"), make_task(olga, title="last")
        tasks = [make_task(olga, title=f"task {number}") for number in range(8)]
        Task.objects.filter(pk=first.pk).update(position=1.0)
        Task.objects.filter(pk=last.pk).update(position=1.0000000000000002)

        def put(task):
            return services.move_task(
                task=queries.whole(task.pk),
                by=access_of(olga),
                state=None,
                before=None,
                after=Task.objects.get(pk=first.pk),
                now=factories.NOW,
            )

        assert losers(race(*(lambda task=task: put(task) for task in tasks))) == []
        order = list(Task.objects.order_by("position", "-pk").values_list("title", flat=True))
        assert (order[0], order[-1], len(set(order))) == ("first", "last", 10)
        assert len(set(Task.objects.values_list("position", flat=True))) == 10
