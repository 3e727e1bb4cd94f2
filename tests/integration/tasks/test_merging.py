"""Two people edit one task: each keeps what only one of them changed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.queries import access_of
from techtrack.core.errors import NotFound, Stale
from techtrack.tasks import services
from techtrack.tasks.domain.reminders import MOST_REMINDERS
from techtrack.tasks.domain.steps import MOST_STEPS
from techtrack.tasks.models import Task, TaskEdit
from techtrack.tasks.services import people
from tests import factories
from tests.integration.tasks.racing import losers, race

TASKS = "/api/tasks/"


@pytest.fixture
def edit(api):
    """``edit(olga, task, 1, title="New")``: a PATCH of somebody who has read version 1."""

    def send(user, task, read, **body):
        return api(user).patch(f"{TASKS}{task.pk}/", body, format="json", HTTP_IF_MATCH=f'"{read}"')

    return send


@pytest.fixture
def task(olga, robot, make_task):
    return make_task(olga, asset=robot)


class TestPatch:
    def test_keeps_both_where_each_changed_another_field(self, edit, olga, erik, task):
        assert edit(olga, task, 1, title="New").status_code == 200
        answer = edit(erik, task, 1, priority=4)
        assert (answer.status_code, answer["ETag"]) == (200, '"3"')
        assert (answer.json()["title"], answer.json()["priority"]) == ("New", 4)

    def test_takes_the_etag_of_what_was_read_whole(self, api, edit, olga, erik, task):
        tag = api(erik).get(f"{TASKS}{task.pk}/")["ETag"]
        edit(olga, task, 1, title="New")
        answer = api(erik).patch(f"{TASKS}{task.pk}/", {"priority": 4}, format="json", HTTP_IF_MATCH=tag)
        assert (answer.status_code, answer.json()["title"]) == (200, "New")

    def test_lists_where_both_changed_the_same_field_and_shows_what_is_there(self, edit, olga, erik, task):
        edit(olga, task, 1, title="Hers", priority=3, description="Long")
        answer = edit(erik, task, 1, title="His", priority=4, state="on_hold")
        assert (answer.status_code, answer["ETag"]) == (412, '"2"')
        found = answer.json()
        assert [(one["pointer"], one["code"]) for one in found["errors"]] == [
            ("/title", "stale"),
            ("/priority", "stale"),
        ]
        assert (found["current"]["title"], found["current"]["state"]) == ("Hers", "open")
        task.refresh_from_db()
        assert (task.title, task.state, task.version) == ("Hers", "open", 2)

    def test_has_nothing_to_do_where_both_changed_it_to_the_same(self, edit, olga, erik, task):
        edit(olga, task, 1, title="New")
        answer = edit(erik, task, 1, title="New")
        assert (answer.status_code, answer.json()["title"]) == (200, "New")

    def test_lets_change_what_was_changed_and_changed_back(self, edit, olga, erik, task):
        edit(olga, task, 1, title="New")
        edit(olga, task, 2, title="Look")
        assert edit(erik, task, 1, title="His").json()["title"] == "His"

    def test_joins_people_whom_each_has_added(self, edit, olga, erik, vera, adam, task):
        edit(olga, task, 1, owners=[olga.pk, erik.pk], shared_with=[{"user": vera.pk, "level": "read"}])
        answer = edit(erik, task, 1, owners=[olga.pk, adam.pk], shared_with=[{"user": adam.pk, "level": "write"}])
        assert answer.status_code == 200
        assert answer.json()["owners"] == sorted([olga.pk, erik.pk, adam.pk])
        assert {one["user"]: one["level"] for one in answer.json()["shared_with"]} == {
            vera.pk: "read",
            adam.pk: "write",
        }

    def test_names_the_person_who_was_given_two_levels(self, edit, olga, erik, vera, task):
        edit(olga, task, 1, shared_with=[{"user": vera.pk, "level": "read"}])
        answer = edit(erik, task, 1, shared_with=[{"user": vera.pk, "level": "write"}])
        assert [one["pointer"] for one in answer.json()["errors"]] == [f"/shared_with/{vera.pk}"]

    def test_takes_two_names_of_an_asset_for_one_thing(self, edit, olga, station, task):
        edit(olga, task, 1, equipment=None)
        answer = edit(olga, task, 1, sensor=station.pk)
        assert answer.status_code == 200
        assert (answer.json()["sensor"], answer.json()["equipment"]) == (station.pk, None)

    def test_refuses_what_is_right_for_each_and_wrong_together(self, edit, olga, erik, task):
        edit(olga, task, 1, start_date="2026-12-02T00:00:00Z")
        answer = edit(erik, task, 1, due_date="2026-12-01T00:00:00Z")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/due_date")

    @pytest.mark.parametrize(
        ("name", "items"),
        [
            pytest.param(
                "checklist",
                [{"type": "tick", "title": "x", "key": f"s{number}"} for number in range(MOST_STEPS + 2)],
                id="steps",
            ),
            pytest.param(
                "reminders",
                [{"before": f"PT{number}M"} for number in range(1, MOST_REMINDERS + 3)],
                id="reminders",
            ),
        ],
    )
    def test_refuses_lists_that_are_too_long_together(self, api, edit, olga, erik, task, name, items):
        half = len(items) // 2
        assert edit(olga, task, 1, **{name: items[:half]}).status_code == 200
        answer = edit(erik, task, 1, **{name: items[half:]})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}")
        assert len(api(olga).get(f"{TASKS}{task.pk}/").json()[name]) == half

    def test_refuses_more_people_together_than_either_has_named(self, monkeypatch, edit, olga, erik, vera, adam, task):
        monkeypatch.setattr(people, "MOST_PEOPLE", 2)
        assert edit(olga, task, 1, owners=[olga.pk, erik.pk]).status_code == 200
        answer = edit(erik, task, 1, owners=[olga.pk, vera.pk])
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/owners")
        shares = [[{"user": pk, "level": "read"} for pk in pks] for pks in ([vera.pk, adam.pk], [erik.pk])]
        assert edit(olga, task, 2, shared_with=shares[0]).status_code == 200
        answer = edit(erik, task, 2, shared_with=shares[1])
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "too_many_people")

    @pytest.mark.parametrize("read", [pytest.param(-1, id="no version"), pytest.param(3, id="a version of long ago")])
    def test_does_not_read_all_of_a_long_history(self, edit, olga, task, read):
        Task.objects.filter(pk=task.pk).update(version=1000)
        with CaptureQueriesContext(connection) as asked:
            assert edit(olga, task, read, title="New").status_code == 412
        assert not [one for one in asked if "tasks_taskedit" in one["sql"]]

    @pytest.mark.parametrize(
        "tag",
        [
            pytest.param('"9"', id="a version that is not there yet"),
            pytest.param('"0"', id="a version that never was"),
            pytest.param('W/"1"', id="a weak tag"),
            pytest.param('"x"', id="no version"),
        ],
    )
    def test_of_what_nobody_can_have_read_is_refused(self, api, edit, olga, task, tag):
        edit(olga, task, 1, title="New")
        answer = api(olga).patch(f"{TASKS}{task.pk}/", {"priority": 4}, format="json", HTTP_IF_MATCH=tag)
        assert answer.status_code == 412

    def test_takes_the_newest_of_several_tags(self, api, edit, olga, erik, task):
        edit(olga, task, 1, title="One")
        edit(olga, task, 2, priority=4)
        send = {"format": "json", "HTTP_IF_MATCH": '"1", "2"'}
        assert api(erik).patch(f"{TASKS}{task.pk}/", {"title": "Two"}, **send).status_code == 200

    def test_is_refused_where_it_is_not_known_what_happened_since(self, edit, olga, erik, task):
        edit(olga, task, 1, title="New")
        TaskEdit.objects.filter(task=task, version=2).delete()
        answer = edit(erik, task, 1, priority=4)
        assert (answer.status_code, answer.json()["errors"]) == (412, [])

    def test_of_a_task_that_was_deleted_meanwhile_finds_nothing(self, edit, olga, erik, task):
        services.delete_task(task=task, by=access_of(olga), expected=None, now=factories.NOW)
        with pytest.raises(NotFound):
            services.merge_task(task=task, by=access_of(erik), changes={"title": "x"}, read=1, now=factories.NOW)

    def test_needs_the_right_to_change(self, edit, vera, olga, task):
        edit(olga, task, 1, title="New")
        assert edit(vera, task, 1, priority=4).status_code == 403


class TestOthers:
    def test_that_write_or_delete_the_whole_must_have_read_the_newest(self, api, edit, olga, task):
        edit(olga, task, 1, priority=4)
        client = api(olga)
        for send in (client.put, client.delete):
            answer = send(f"{TASKS}{task.pk}/", {"title": "x"}, format="json", HTTP_IF_MATCH='"1"')
            assert answer.status_code == 412

    def test_that_write_many_at_once_merge_each(self, api, edit, olga, erik, task):
        edit(olga, task, 1, title="New")
        items = [
            {"action": "update", "id": task.pk, "version": 1, "body": {"priority": 4}},
            {"action": "update", "id": task.pk, "version": 1, "body": {"title": "His"}},
        ]
        answer = api(erik).post(f"{TASKS}bulk/?atomic=false", {"items": items}, format="json")
        assert [one["status"] for one in answer.json()["results"]] == [200, 412]
        assert answer.json()["results"][1]["problem"]["errors"][0]["pointer"] == "/items/1/body/title"

    def test_that_name_no_version_overwrite(self, api, edit, olga, erik, task):
        edit(olga, task, 1, title="Hers")
        assert api(erik).patch(f"{TASKS}{task.pk}/", {"title": "His"}, format="json").json()["title"] == "His"


@pytest.mark.django_db(transaction=True)
class TestRace:
    FIELDS = ("title", "description", "priority", "state")

    def test_of_many_fields_keeps_all_of_them(self, olga, make_task):
        task, by = make_task(olga), access_of(olga)
        wanted = {"title": "New", "description": "Long", "priority": 4, "state": "on_hold"}

        def write(name):
            mine = Task.objects.whole().get(pk=task.pk)
            return services.merge_task(task=mine, by=by, changes={name: wanted[name]}, read=1, now=factories.NOW)

        results = race(*(lambda name=name: write(name) for name in self.FIELDS))
        assert losers(results) == []
        task.refresh_from_db()
        assert {name: getattr(task, name) for name in self.FIELDS} == wanted
        assert list(TaskEdit.objects.order_by("version").values_list("version", flat=True)) == [1, 2, 3, 4, 5]

    def test_for_one_field_has_one_winner(self, olga, make_task):
        task, by = make_task(olga), access_of(olga)

        def write(title):
            mine = Task.objects.whole().get(pk=task.pk)
            return services.merge_task(task=mine, by=by, changes={"title": title}, read=1, now=factories.NOW)

        results = race(*(lambda number=number: write(f"Title {number}") for number in range(4)))
        assert [type(error).__mro__[1] for error in losers(results)] == [Stale] * 3

    def test_without_a_version_loses_no_history(self, olga, make_task):
        task, by = make_task(olga), access_of(olga)

        def write(name, value):
            mine = Task.objects.whole().get(pk=task.pk)
            return services.update_task(task=mine, by=by, changes={name: value}, expected=None, now=factories.NOW)

        results = race(lambda: write("priority", 4), lambda: write("state", "done"))
        assert losers(results) == []
        edits = TaskEdit.objects.filter(task=task, version__gt=1).order_by("version")
        assert sorted(name for edit in edits for name in edit.after) == ["priority", "state"]
