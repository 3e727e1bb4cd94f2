"""The history of tasks: every change, by whom, and what it was before."""

from __future__ import annotations

from functools import partial

import pytest

from techtrack.accounts import queries as accounts
from techtrack.accounts import services as people
from techtrack.assets import services as assets
from techtrack.tasks import services
from techtrack.tasks.models import TaskEdit
from tests import factories
from tests.integration.tasks.racing import losers, race

TASKS = "/api/tasks/"


def told(client, task):
    """The history of a task, oldest first: version, event, person, and the changes by field."""
    answer = client.get(f"{TASKS}{task.pk}/history/?ordering=version")
    assert answer.status_code == 200, answer.content
    return [
        (one["version"], one["event"], one["by"], {c["field"]: (c["before"], c["after"]) for c in one["changes"]})
        for one in answer.json()["results"]
    ]


class TestHistory:
    def test_tells_who_made_a_task_and_who_changed_what(self, api, olga, erik, robot, make_task):
        task = make_task(olga, asset=robot)
        body = {"title": "Look closer", "priority": 4, "due_date": "2026-12-01T10:00:00Z", "estimated_time": "PT2H"}
        assert api(erik).patch(f"{TASKS}{task.pk}/", body, format="json").status_code == 200
        assert told(api(olga), task) == [
            (1, "created", olga.pk, {}),
            (
                2,
                "changed",
                erik.pk,
                {
                    "title": ("Look", "Look closer"),
                    "priority": (2, 4),
                    "due_date": (None, "2026-12-01T10:00:00Z"),
                    "estimated_time": (None, "PT2H"),
                },
            ),
        ]

    def test_tells_of_people_and_of_the_two_names_of_an_asset(self, api, olga, erik, vera, robot, station, make_task):
        task, client = make_task(olga, asset=robot), api(olga)
        shared = [{"user": vera.pk, "level": "comment"}]
        body = {"owners": [olga.pk, erik.pk], "shared_with": shared, "sensor": station.pk}
        assert client.patch(f"{TASKS}{task.pk}/", body, format="json").status_code == 200
        assert told(client, task)[-1][3] == {
            "owners": ([olga.pk], sorted([olga.pk, erik.pk])),
            "shared_with": ([], shared),
            "equipment": (robot.pk, None),
            "sensor": (None, station.pk),
        }

    def test_tells_nothing_of_a_write_that_changed_nothing(self, api, olga, make_task):
        task, client = make_task(olga), api(olga)
        assert client.patch(f"{TASKS}{task.pk}/", {"title": "Look"}, format="json").json()["version"] == 2
        assert told(client, task)[-1] == (2, "changed", olga.pk, {})

    def test_tells_of_a_deletion_and_its_undoing(self, api, olga, make_task):
        task, client = make_task(olga), api(olga)
        client.delete(f"{TASKS}{task.pk}/")
        client.post(f"{TASKS}{task.pk}/restore/")
        assert [line[:3] for line in told(client, task)[1:]] == [(2, "deleted", olga.pk), (3, "restored", olga.pk)]

    def test_of_a_machines_task_begins_with_nobody(self, api, olga, alert):
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW)
        assert told(api(olga), task) == [(1, "created", None, {})]

    def test_names_nobody_for_what_happened_to_an_asset(self, api, olga, adam, robot, make_task):
        task = make_task(olga, asset=robot)
        assets.delete_asset(asset=robot, by=accounts.access_of(adam), confirm=robot.name, expected=None)
        assert told(api(olga), task)[-1] == (2, "changed", None, {"equipment": (robot.pk, None)})

    def test_names_who_emptied_a_category(self, api, olga, make_task):
        drawer = factories.make_category(olga)
        task = make_task(olga, category=drawer)
        api(olga).delete(f"/api/categories/{drawer.pk}/")
        assert told(api(olga), task)[-1] == (2, "changed", olga.pk, {"category": (drawer.pk, None)})

    def test_forgets_who_is_gone_and_keeps_what_was_done(self, api, olga, erik, adam, make_task):
        task = make_task(olga, owners=[olga.pk, erik.pk])
        services.update_task(
            task=task, by=accounts.access_of(erik), changes={"title": "New"}, expected=None, now=factories.NOW
        )
        people.delete_user(user=erik, by=accounts.access_of(adam), expected=None, now=factories.NOW)
        lines = told(api(olga), task)
        assert lines[1] == (2, "changed", None, {"title": ("Look", "New")})
        assert lines[2] == (3, "changed", None, {"owners": (sorted([olga.pk, erik.pk]), [olga.pk])})

    @pytest.mark.django_db(transaction=True)
    def test_tells_of_two_at_the_same_moment_who_did_what(self, olga, erik, robot, make_task):
        for number in range(6):
            drawer = factories.make_category(olga)
            task = make_task(olga, asset=robot, category=drawer)
            more = {"expected": None, "now": factories.NOW}
            results = race(
                partial(services.delete_category, category=drawer, by=accounts.access_of(olga), **more),
                partial(
                    services.update_task, task=task, by=accounts.access_of(erik), changes={"title": str(number)}, **more
                ),
            )
            assert losers(results) == []
            edits = TaskEdit.objects.filter(task=task, version__gt=1)
            assert sorted((edit.by_id, *edit.after) for edit in edits) == sorted(
                [(olga.pk, "category"), (erik.pk, "title")]
            )

    def test_has_one_entry_for_each_version(self, api, olga, make_task):
        task, client = make_task(olga), api(olga)
        for title in ("One", "Two", "Three"):
            client.patch(f"{TASKS}{task.pk}/", {"title": title}, format="json")
        assert list(TaskEdit.objects.filter(task=task).order_by("version").values_list("version", flat=True)) == [
            1,
            2,
            3,
            4,
        ]

    def test_is_for_those_who_see_the_task(self, api, olga, vera, mallory, oscar, robot, make_task):
        task = make_task(olga, asset=robot)
        for user, status in [(vera, 200), (oscar, 404), (mallory, 404)]:
            assert api(user).get(f"{TASKS}{task.pk}/history/").status_code == status

    @pytest.mark.parametrize("query", ["ordering=at", "page=0", "colour=red"])
    def test_refuses_parameters_that_make_no_sense(self, api, olga, make_task, query):
        assert api(olga).get(f"{TASKS}{make_task(olga).pk}/history/?{query}").status_code == 400

    def test_keeps_what_failed_to_itself(self, api, olga, alert, make_task):
        task = make_task(olga)
        body = {"title": "x", "owners": [999_999]}
        assert api(olga).patch(f"{TASKS}{task.pk}/", body, format="json").status_code == 400
        assert TaskEdit.objects.filter(task=task).count() == 1
