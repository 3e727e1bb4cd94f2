"""Deletion can be undone for thirty days, and is forgotten then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.queries import access_of
from techtrack.alerts.models import Suppression
from techtrack.core import clock
from techtrack.core.errors import TechTrackError
from techtrack.live.models import LiveEvent
from techtrack.tasks import queries, services
from techtrack.tasks.models import Task
from tests import factories
from tests.integration.tasks.racing import race

TASKS = "/api/tasks/"


def url(task):
    return f"{TASKS}{task.pk}/"


def delete(task, by, now=None):
    services.delete_task(task=task, by=access_of(by), expected=None, now=now or clock.now())


def deleted(client):
    return [row["id"] for row in client.get(f"{TASKS}deleted/").json()["results"]]


class TestDeletion:
    def test_hides_the_task_everywhere(self, api, olga, vera, robot, make_task):
        task = make_task(olga, asset=robot)
        assert api(olga).delete(url(task)).status_code == 204
        for client in (api(olga), api(vera)):
            assert client.get(url(task)).status_code == 404
            assert client.get(TASKS).json()["count"] == 0
            assert client.get(f"/api/equipment/{robot.pk}/tasks/").json()["count"] == 0
            assert client.get(f"{url(task)}history/").status_code == 404
        assert queries.unfinished_summaries(access_of(olga), user_id=olga.pk) == []
        assert api(olga).patch(url(task), {"title": "x"}, format="json").status_code == 404
        assert api(olga).delete(url(task)).status_code == 404

    def test_is_told_to_open_pages_as_such(self, api, olga, make_task):
        task = make_task(olga)
        api(olga).delete(url(task))
        api(olga).post(f"{url(task)}restore/")
        told = [(row.payload["event"], row.payload["task"].get("title")) for row in LiveEvent.objects.order_by("pk")]
        assert told == [("created", "Look"), ("deleted", None), ("created", "Look")]

    def test_of_a_machines_task_makes_room_for_another(self, olga, alert):
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW)
        delete(task, olga)
        assert services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW) is not None

    def test_takes_the_place_of_no_other_work(self, api, olga, make_task):
        task = make_task(olga)
        delete(task, olga)
        assert api(olga).post(TASKS, {"title": "Look"}, format="json").status_code == 201


class TestRestoring:
    def test_brings_back_all_of_it(self, api, olga, erik, vera, robot, make_task):
        task = make_task(olga, asset=robot, owners=[erik.pk], shared_with=[(vera.pk, "read")], priority=4)
        before = api(olga).get(url(task)).json()
        delete(task, olga)
        answer = api(erik).post(f"{url(task)}restore/")
        assert (answer.status_code, answer["ETag"]) == (200, '"3"')
        assert answer.json() == {**before, "version": 3, "updated_at": answer.json()["updated_at"]}
        assert api(vera).get(url(task)).json() == answer.json()

    def test_is_for_those_who_might_have_deleted_it(self, api, olga, erik, vera, oscar, mallory, robot, make_task):
        task = make_task(olga, asset=robot)
        delete(task, olga)
        for user, status in [(vera, 403), (erik, 403), (oscar, 404), (mallory, 404), (olga, 200)]:
            assert api(user).post(f"{url(task)}restore/").status_code == status

    def test_of_a_machines_task_is_for_operators(self, api, olga, vera, alert):
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW)
        delete(task, olga)
        assert deleted(api(olga)) == [task.pk]
        assert deleted(api(vera)) == []
        assert api(vera).post(f"{url(task)}restore/").status_code == 403
        assert api(olga).post(f"{url(task)}restore/").status_code == 200

    def test_beside_another_task_of_the_same_alert_is_a_conflict(self, api, olga, alert):
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW)
        delete(task, olga)
        services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW)
        answer = api(olga).post(f"{url(task)}restore/")
        assert (answer.status_code, answer.json()["code"]) == (409, "another_task_is_open")

    def test_of_what_is_not_deleted_is_a_conflict(self, api, olga, make_task):
        answer = api(olga).post(f"{url(make_task(olga))}restore/")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_deleted")

    @pytest.mark.parametrize("pk", ["999999", str(2**63), "9" * 30])
    def test_of_what_is_nowhere_finds_nothing(self, api, olga, pk):
        assert api(olga).post(f"{TASKS}{pk}/restore/").status_code == 404

    def test_hides_alerts_again_while_it_is_worked_on(self, olga, alert, robot, make_task):
        task = make_task(olga, asset=robot, alert=alert, state="in_progress")
        delete(task, olga)
        assert not Suppression.objects.exists()
        services.restore_task(task=queries.whole(task.pk), by=access_of(olga), now=factories.NOW)
        assert Suppression.objects.get().by == f"task:{task.pk}"

    @pytest.mark.django_db(transaction=True)
    def test_by_two_at_once_is_done_once(self, olga, make_task):
        task = make_task(olga)
        delete(task, olga)
        read = [queries.whole(task.pk) for _ in range(2)]
        results = race(
            *(lambda one=one: services.restore_task(task=one, by=access_of(olga), now=factories.NOW) for one in read)
        )
        assert sorted(isinstance(result, TechTrackError) for result in results) == [False, True]
        task.refresh_from_db()
        assert (task.version, task.deleted_at) == (3, None)


class TestDeletedList:
    def test_shows_what_one_may_bring_back_newest_first(self, api, olga, erik, vera, robot, make_task):
        mine, shared, other = make_task(olga), make_task(olga, owners=[erik.pk]), make_task(erik, asset=robot)
        make_task(olga)
        for number, (task, by) in enumerate([(mine, olga), (shared, olga), (other, erik)]):
            delete(task, by, factories.NOW + timedelta(minutes=number))
        assert deleted(api(olga)) == [shared.pk, mine.pk]
        assert deleted(api(erik)) == [other.pk, shared.pk]
        assert deleted(api(vera)) == []

    def test_shows_an_operator_what_is_nobodys(self, api, olga, erik, robot, make_task):
        tasks = [make_task(erik, asset=robot, owners=owners) for owners in ([], [erik.pk])]
        for number, task in enumerate(tasks):
            delete(task, erik, factories.NOW + timedelta(minutes=number))
        # Who made them is gone; of one an owner is left.
        Task.objects.update(created_by=None)
        assert deleted(api(olga)) == [tasks[0].pk]
        for task, status in zip(tasks, (200, 403), strict=True):
            assert api(olga).post(f"{url(task)}restore/").status_code == status

    def test_refuses_parameters_that_make_no_sense(self, api, olga):
        assert api(olga).get(f"{TASKS}deleted/?state=open").status_code == 400


class TestForgetting:
    def test_takes_what_was_deleted_thirty_days_ago(self, api, olga, make_task):
        old, young = make_task(olga), make_task(olga)
        delete(old, olga, factories.NOW)
        delete(young, olga, factories.NOW + timedelta(hours=1))
        assert services.forget_deleted(now=factories.NOW + services.KEPT + timedelta(minutes=1)) is False
        assert list(Task.objects.all()) == [young]
        assert api(olga).post(f"{url(old)}restore/").status_code == 404

    def test_leaves_what_nobody_deleted(self, olga, make_task):
        task = make_task(olga)
        services.forget_deleted(now=factories.NOW + timedelta(days=9999))
        assert list(Task.objects.all()) == [task]

    @pytest.mark.django_db(transaction=True)
    def test_as_somebody_brings_it_back_does_one_of_both(self, olga, make_task):
        now = factories.NOW + services.KEPT + timedelta(minutes=1)
        for _ in range(6):
            task = make_task(olga)
            delete(task, olga, factories.NOW)
            read = queries.whole(task.pk)
            back, _ = race(
                lambda read=read: services.restore_task(task=read, by=access_of(olga), now=now),
                lambda: services.forget_deleted(now=now),
            )
            assert Task.objects.filter(pk=task.pk).exists() != isinstance(back, TechTrackError)

    def test_leaves_the_next_task_of_a_series(self, olga, make_task):
        task = make_task(olga, recurrence="FREQ=DAILY;COUNT=3", due_date=factories.NOW)
        done = services.update_task(
            task=task, by=access_of(olga), changes={"state": "done"}, expected=None, now=factories.NOW
        )
        delete(done, olga, factories.NOW)
        services.forget_deleted(now=factories.NOW + services.KEPT + timedelta(days=1))
        assert Task.objects.get().follows is None
