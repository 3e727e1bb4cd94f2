"""Tasks over the API: their fields, who sees them, who may touch them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.core.errors import Forbidden
from techtrack.tasks import services
from techtrack.tasks.models import Category, Task, TaskOwner
from tests import factories

TASKS = "/api/tasks/"


def url(task):
    return f"{TASKS}{task.pk}/"


def pointers(answer):
    return [error["pointer"] for error in answer.json()["errors"]]


class TestCreate:
    def test_needs_a_title_alone_and_gives_it_to_its_maker(self, api, mallory):
        answer = api(mallory).post(TASKS, {"title": "Buy oil"}, format="json")
        assert (answer.status_code, answer["ETag"]) == (201, '"1"')
        made = answer.json()
        assert answer["Location"].endswith(f"{TASKS}{made['id']}/")
        for name in ("id", "position", "created_at", "updated_at"):
            assert made.pop(name)
        assert made == {
            "title": "Buy oil",
            "description": "",
            "priority": 2,
            "state": "open",
            "category": None,
            "start_date": None,
            "due_date": None,
            "is_overdue": False,
            "estimated_time": None,
            "recurrence": None,
            "recurrence_terms": {},
            "checklist": [],
            "answers": {},
            "progress": {"total": 0, "answered": 0, "failed": 0},
            "plan": None,
            "verification": None,
            "reminders": [],
            "spent_time": "PT0S",
            "owners": [mallory.pk],
            "shared_with": [],
            "equipment": None,
            "sensor": None,
            "alert": None,
            "created_by": mallory.pk,
            "completed_at": None,
            "version": 1,
        }

    def test_takes_every_field(self, api, olga, erik, vera, station, alert):
        drawer = Category.objects.create(owner=olga, name="Mine", **factories.STAMPS)
        body = {
            "title": "Clean the inlet",
            "description": "With a brush.",
            "priority": 4,
            "state": "in_progress",
            "category": drawer.pk,
            "start_date": "2000-12-31T00:00:00Z",
            "due_date": "2001-01-01T00:00:00Z",
            "estimated_time": "PT1H30M",
            "owners": sorted([erik.pk, olga.pk]),
            "shared_with": [{"user": vera.pk, "level": "comment"}],
            "equipment": None,
            "sensor": station.pk,
            "alert": alert.pk,
        }
        answer = api(olga).post(TASKS, body, format="json")
        assert answer.status_code == 201
        made = answer.json()
        assert {name: made[name] for name in body} == body
        assert made["is_overdue"] is True
        assert api(olga).get(f"{TASKS}{made['id']}/").json() == made

    def test_of_finished_work_notes_when(self, api, olga):
        assert api(olga).post(TASKS, {"title": "x", "state": "done"}, format="json").json()["completed_at"]
        assert not api(olga).post(TASKS, {"title": "x", "state": "cancelled"}, format="json").json()["completed_at"]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"title": " "}, "/title", id="a blank title"),
            pytest.param({"title": ["x"]}, "/title", id="a list for a title"),
            pytest.param({"title": "x" * 301}, "/title", id="a long title"),
            pytest.param({"description": {}}, "/description", id="an object for a text"),
            pytest.param({"description": "x" * 20_001}, "/description", id="a long description"),
            pytest.param({"priority": 0}, "/priority", id="a priority too low"),
            pytest.param({"priority": 5}, "/priority", id="a priority too high"),
            pytest.param({"priority": True}, "/priority", id="a flag for a priority"),
            pytest.param({"state": "lost"}, "/state", id="an unknown state"),
            pytest.param({"due_date": "tomorrow"}, "/due_date", id="no time"),
            pytest.param({"due_date": "1999-12-31T23:59:59Z"}, "/due_date", id="a time too early"),
            pytest.param({"due_date": 7}, "/due_date", id="a number for a time"),
            pytest.param({"start_date": "soon"}, "/start_date", id="no time to begin"),
            pytest.param(
                {"start_date": "2026-12-02T00:00:00Z", "due_date": "2026-12-01T00:00:00Z"},
                "/due_date",
                id="due before it begins",
            ),
            pytest.param({"estimated_time": "2 hours"}, "/estimated_time", id="no duration"),
            pytest.param({"estimated_time": "P9999D"}, "/estimated_time", id="a duration of decades"),
            pytest.param({"category": 999_999}, "/category", id="an unknown category"),
            pytest.param({"category": True}, "/category", id="a flag for an id"),
            pytest.param({"category": "1"}, "/category", id="a text for an id"),
            pytest.param({"equipment": 999_999}, "/equipment", id="unknown equipment"),
            pytest.param({"equipment": 2**63}, "/equipment", id="an id beyond every id"),
            pytest.param({"equipment": -1}, "/equipment", id="an id below every id"),
            pytest.param({"equipment": {"id": 1}}, "/equipment", id="an object for an id"),
            pytest.param({"sensor": 1.5}, "/sensor", id="half an id"),
            pytest.param({"alert": 999_999}, "/alert", id="an unknown alert"),
            pytest.param({"owners": [999_999]}, "/owners/0", id="an unknown owner"),
            pytest.param({"owners": 1}, "/owners", id="a number for a list"),
            pytest.param({"owners": [None]}, "/owners/0", id="nobody"),
            pytest.param({"owners": [2**63]}, "/owners/0", id="an owner beyond every id"),
            pytest.param({"owners": list(range(1, 102))}, "/owners", id="too many owners"),
            pytest.param({"shared_with": [{"user": 999_999}]}, "/shared_with/0/user", id="an unknown person"),
            pytest.param({"shared_with": [{"level": "read"}]}, "/shared_with/0/user", id="shared with nobody"),
            pytest.param({"shared_with": [7]}, "/shared_with/0", id="a number for a share"),
            pytest.param({"shared_with": {"user": 7}}, "/shared_with", id="an object for a list"),
        ],
    )
    def test_names_what_is_wrong(self, api, olga, changes, pointer):
        answer = api(olga).post(TASKS, {"title": "x", **changes}, format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer])
        assert Task.objects.count() == 0

    def test_refuses_equipment_and_sensor_at_once(self, api, olga, robot, station):
        body = {"title": "x", "equipment": robot.pk, "sensor": station.pk}
        answer = api(olga).post(TASKS, body, format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/sensor"])

    def test_knows_an_asset_by_its_own_name_only(self, api, olga, robot, station):
        for body, pointer in [({"sensor": robot.pk}, "/sensor"), ({"equipment": station.pk}, "/equipment")]:
            answer = api(olga).post(TASKS, {"title": "x", **body}, format="json")
            assert (answer.status_code, pointers(answer)) == (400, [pointer])

    def test_with_the_same_idempotency_key_makes_one(self, api, olga):
        first, again = (
            api(olga).post(TASKS, {"title": "x"}, format="json", HTTP_IDEMPOTENCY_KEY="k1") for _ in range(2)
        )
        assert first.status_code == again.status_code == 201
        assert first.json() == again.json()
        for name in ("Content-Type", "ETag", "Location"):
            assert first[name] == again[name]
        assert Task.objects.count() == 1

    @pytest.mark.parametrize(("who", "status"), [("olga", 201), ("erik", 201), ("adam", 201), ("vera", 403)])
    def test_about_an_asset_needs_an_operator(self, api, robot, who, status, request):
        body = {"title": "x", "equipment": robot.pk}
        assert api(request.getfixturevalue(who)).post(TASKS, body, format="json").status_code == status

    @pytest.mark.parametrize("who", ["oscar", "mallory"])
    def test_learns_nothing_of_assets_and_alerts_elsewhere(self, api, robot, alert, who, request):
        client = api(request.getfixturevalue(who))
        for name, pk in [("equipment", robot.pk), ("alert", alert.pk)]:
            known = client.post(TASKS, {"title": "x", name: pk}, format="json")
            unknown = client.post(TASKS, {"title": "x", name: 999_999}, format="json")
            assert known.status_code == unknown.status_code == 400
            told = [
                answer.json()["errors"][0]["detail"].replace(str(n), "")
                for answer, n in [(known, pk), (unknown, 999_999)]
            ]
            assert told[0] == told[1]

    def test_with_a_key_of_one_asset_reaches_that_asset_only(self, erik, plant, robot, station):
        key = Access(erik.pk, "erik", at={plant.pk: Role.ENGINEER}, only_asset=robot.pk, key_id=1)
        task = services.create_task(by=key, data={"title": "x", "asset": robot}, now=factories.NOW)
        assert list(Task.objects.visible_to(key)) == [task]
        for data in ({"title": "x"}, {"title": "x", "asset": station}):
            with pytest.raises(Forbidden):
                services.create_task(by=key, data=data, now=factories.NOW)


class TestPeople:
    def test_are_those_who_share_a_site(self, api, olga, erik, adam, edda, mallory):
        client = api(olga)
        for user, status in [(erik, 201), (adam, 201), (olga, 201), (edda, 400), (mallory, 400)]:
            answer = client.post(TASKS, {"title": "x", "owners": [user.pk]}, format="json")
            assert answer.status_code == status, user
            share = [{"user": user.pk, "level": "read"}]
            assert client.post(TASKS, {"title": "x", "shared_with": share}, format="json").status_code == status, user

    def test_are_active(self, api, olga, plant):
        gone = factories.make_user("gone", role=Role.VIEWER, site=plant, is_active=False)
        assert api(olga).post(TASKS, {"title": "x", "owners": [gone.pk]}, format="json").status_code == 400

    def test_without_any_site_are_oneself(self, api, mallory, adam):
        assert api(mallory).post(TASKS, {"title": "x", "owners": [adam.pk]}, format="json").status_code == 400
        assert api(mallory).post(TASKS, {"title": "x", "owners": [mallory.pk]}, format="json").status_code == 201

    def test_are_named_once(self, api, olga, erik):
        answer = api(olga).post(TASKS, {"title": "x", "owners": [erik.pk, olga.pk, erik.pk]}, format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/owners/2"])
        shares = [{"user": erik.pk, "level": "read"}, {"user": erik.pk, "level": "write"}]
        answer = api(olga).post(TASKS, {"title": "x", "shared_with": shares}, format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/shared_with/1/user"])

    def test_stay_on_a_task_after_they_left_the_site(self, api, olga, erik, make_task):
        task = make_task(olga, owners=[olga.pk, erik.pk])
        erik.memberships.all().delete()
        answer = api(olga).put(url(task), api(olga).get(url(task)).json(), format="json")
        assert (answer.status_code, answer.json()["owners"]) == (200, sorted([olga.pk, erik.pk]))


class TestVisibility:
    @pytest.fixture
    def everybody(self, olga, erik, vera, adam, oscar, edda, mallory):
        return [olga, erik, vera, adam, oscar, edda, mallory]

    def seen_by(self, api, everybody, task):
        seen = []
        for user in everybody:
            client = api(user)
            listed = [row["id"] for row in client.get(TASKS).json()["results"]]
            opened = client.get(url(task)).status_code
            assert (opened == 200) == (task.pk in listed)
            assert opened in {200, 404}
            seen += [user.username] if opened == 200 else []
        return seen

    def test_of_private_work_is_its_makers(self, api, everybody, olga, make_task):
        assert self.seen_by(api, everybody, make_task(olga)) == ["olga"]

    def test_of_work_about_an_asset_is_its_sites(self, api, everybody, olga, robot, make_task):
        assert self.seen_by(api, everybody, make_task(olga, asset=robot)) == ["olga", "erik", "vera", "adam"]

    def test_of_shared_work_is_theirs_with_whom_it_is_shared(self, api, everybody, olga, erik, vera, make_task):
        task = make_task(olga, owners=[erik.pk], shared_with=[(vera.pk, "read")])
        assert self.seen_by(api, everybody, task) == ["olga", "erik", "vera"]

    def test_ends_where_an_outsider_begins(self, api, mallory, oscar, olga, robot, make_task):
        task = make_task(olga, asset=robot)
        for client in (api(mallory), api(oscar)):
            for send in (client.put, client.patch, client.delete):
                assert send(url(task), {"title": "mine"}, format="json").status_code == 404
        task.refresh_from_db()
        assert (task.title, task.version) == ("Look", 1)


class TestRights:
    @pytest.mark.parametrize(("share", "status"), [("read", 403), ("comment", 403), ("write", 200)])
    def test_to_change_follow_the_level_of_the_share(self, api, olga, vera, make_task, share, status):
        task = make_task(olga, shared_with=[(vera.pk, share)])
        assert api(vera).get(url(task)).status_code == 200
        assert api(vera).patch(url(task), {"title": "New"}, format="json").status_code == status
        assert api(vera).delete(url(task)).status_code == 403

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"owners": ["olga", "vera"]}, id="to own it too"),
            pytest.param({"owners": ["vera"]}, id="to own it alone"),
            pytest.param({"owners": ["erik"]}, id="to give it to somebody"),
            pytest.param({"owners": []}, id="to make it nobody's"),
            pytest.param({"shared_with": []}, id="to share it with nobody"),
            pytest.param({"shared_with": ["vera", "erik"]}, id="to share it with more"),
        ],
    )
    def test_of_whom_it_is_shared_with_are_not(self, request, api, olga, vera, make_task, changes):
        task = make_task(olga, shared_with=[(vera.pk, "write")])
        people = {name: [request.getfixturevalue(one).pk for one in named] for name, named in changes.items()}
        if "shared_with" in people:
            people["shared_with"] = [{"user": pk, "level": "write"} for pk in people["shared_with"]]
        answer = api(vera).patch(url(task), people, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert api(vera).put(url(task), api(vera).get(url(task)).json(), format="json").status_code == 200

    def test_of_an_operator_are_to_give_it_to_others_and_to_take_what_is_nobodys(
        self, api, olga, erik, adam, robot, make_task
    ):
        task = make_task(olga, asset=robot)
        client = api(erik)
        assert client.patch(url(task), {"owners": [olga.pk, erik.pk]}, format="json").status_code == 403
        assert client.patch(url(task), {"owners": []}, format="json").status_code == 403
        assert client.patch(url(task), {"shared_with": [{"user": erik.pk}]}, format="json").status_code == 403
        assert client.patch(url(task), {"owners": [adam.pk]}, format="json").status_code == 200
        assert client.delete(url(task)).status_code == 403
        api(olga).patch(url(task), {"owners": []}, format="json")
        assert client.patch(url(task), {"owners": [erik.pk]}, format="json").json()["owners"] == [erik.pk]
        assert client.delete(url(task)).status_code == 204

    def test_of_an_owner_are_all(self, api, olga, vera, make_task):
        task = make_task(olga, owners=[vera.pk])
        assert api(vera).patch(url(task), {"state": "done"}, format="json").status_code == 200
        assert api(vera).delete(url(task)).status_code == 204

    def test_at_an_asset_are_the_operators(self, api, olga, erik, vera, robot, make_task):
        task = make_task(olga, asset=robot)
        assert api(erik).patch(url(task), {"title": "New"}, format="json").status_code == 200
        assert api(vera).patch(url(task), {"title": "Newer"}, format="json").status_code == 403
        # Somebody else's task is not theirs to delete …
        assert api(erik).delete(url(task)).status_code == 403
        assert api(olga).delete(url(task)).status_code == 204

    def test_to_delete_a_machines_task_are_the_operators(self, api, olga, vera, alert):
        task = services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW)
        assert api(vera).delete(url(task)).status_code == 403
        assert api(olga).delete(url(task)).status_code == 204

    def test_to_delete_what_is_nobodys_any_more_are_the_operators(self, api, olga, erik, robot, make_task):
        task = make_task(erik, asset=robot)
        Task.objects.filter(pk=task.pk).update(created_by=None)
        assert api(olga).delete(url(task)).status_code == 403
        TaskOwner.objects.all().delete()
        assert api(olga).delete(url(task)).status_code == 204

    def test_to_move_a_task_to_an_asset_are_its_operators(self, api, vera, olga, robot, station, make_task):
        task = make_task(olga, owners=[vera.pk])
        assert api(vera).patch(url(task), {"equipment": robot.pk}, format="json").status_code == 403
        task = make_task(olga, owners=[vera.pk], asset=robot)
        assert api(vera).patch(url(task), {"sensor": station.pk}, format="json").status_code == 403
        assert api(vera).patch(url(task), {"equipment": robot.pk, "priority": 4}, format="json").status_code == 200

    def test_to_a_category_are_its_owners(self, api, olga, erik, robot, make_task):
        drawer = Category.objects.create(owner=olga, name="Mine", **factories.STAMPS)
        task = make_task(olga, asset=robot, category=drawer)
        # Erik can send back what he was shown, but puts nothing else into a drawer of olga's.
        shown = api(erik).get(url(task)).json()
        assert api(erik).put(url(task), shown, format="json").status_code == 200
        other = make_task(erik, asset=robot)
        answer = api(erik).patch(url(other), {"category": drawer.pk}, format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/category"])


class TestChange:
    def test_notes_when_work_was_done_and_forgets_it_when_it_goes_on(self, api, olga, make_task):
        task, client = make_task(olga), api(olga)
        done = client.patch(url(task), {"state": "done"}, format="json").json()["completed_at"]
        assert done
        again = client.patch(url(task), {"state": "done", "title": "Look again"}, format="json").json()
        assert again["completed_at"] == done
        assert client.patch(url(task), {"title": "Look"}, format="json").json()["completed_at"] == done
        assert client.patch(url(task), {"state": "on_hold"}, format="json").json()["completed_at"] is None
        assert client.patch(url(task), {"state": "cancelled"}, format="json").json()["completed_at"] is None

    def test_by_put_returns_what_is_left_out_to_its_default(self, api, olga, erik, robot, alert, make_task):
        drawer = Category.objects.create(owner=olga, name="Mine", **factories.STAMPS)
        full = {"description": "x", "priority": 4, "state": "done", "category": drawer, "due_date": factories.NOW}
        people = {"owners": [erik.pk], "shared_with": [(erik.pk, "write")]}
        task = make_task(olga, asset=robot, alert=alert, **full, **people)
        answer = api(olga).put(url(task), {"title": "Bare"}, format="json")
        assert answer.status_code == 200
        bare = api(olga).post(TASKS, {"title": "Bare"}, format="json").json()
        changing = {"id", "version", "position", "created_at", "updated_at"}
        assert {k: v for k, v in answer.json().items() if k not in changing} == {
            k: v for k, v in bare.items() if k not in changing
        }

    def test_by_patch_leaves_the_rest(self, api, olga, erik, robot, make_task):
        task = make_task(olga, asset=robot, owners=[erik.pk], shared_with=[(erik.pk, "write")])
        shown = api(olga).get(url(task)).json()
        changed = api(olga).patch(url(task), {"priority": 4}, format="json").json()
        assert changed == {**shown, "priority": 4, "version": 2, "updated_at": changed["updated_at"]}

    def test_replaces_people_with_one_new_version(self, api, olga, erik, vera, make_task):
        task = make_task(olga)
        body = {"owners": [erik.pk, olga.pk], "shared_with": [{"user": vera.pk}]}
        changed = api(olga).patch(url(task), body, format="json")
        assert changed["ETag"] == '"2"'
        assert changed.json()["owners"] == sorted([erik.pk, olga.pk])
        assert changed.json()["shared_with"] == [{"user": vera.pk, "level": "read"}]
        emptied = api(olga).patch(url(task), {"owners": [], "shared_with": []}, format="json").json()
        assert (emptied["owners"], emptied["shared_with"], emptied["version"]) == ([], [], 3)

    def test_changes_the_asset_by_either_name(self, api, olga, robot, station, make_task):
        task, client = make_task(olga, asset=robot), api(olga)
        # The task has no sensor: emptying that name changes nothing.
        assert client.patch(url(task), {"sensor": None}, format="json").json()["equipment"] == robot.pk
        moved = client.patch(url(task), {"sensor": station.pk}, format="json").json()
        assert (moved["equipment"], moved["sensor"]) == (None, station.pk)
        freed = client.patch(url(task), {"sensor": None}, format="json").json()
        assert (freed["equipment"], freed["sensor"]) == (None, None)

    def test_refuses_what_is_stale_and_shows_what_is_now(self, api, olga, erik, make_task):
        task, client = make_task(olga), api(olga)
        client.patch(url(task), {"title": "New"}, format="json")
        body = {"title": "Newer", "owners": [erik.pk]}
        for send in (client.put, client.patch, client.delete):
            answer = send(url(task), body, format="json", HTTP_IF_MATCH='"1"')
            assert (answer.status_code, answer["ETag"]) == (412, '"2"')
            assert answer.json()["current"]["title"] == "New"
        # The people of a refused change are refused with it.
        assert client.get(url(task)).json()["owners"] == [olga.pk]
        assert client.delete(url(task), HTTP_IF_MATCH='"2"').status_code == 204

    def test_ignores_what_is_derived(self, api, olga, make_task):
        task = make_task(olga)
        sent = {"is_overdue": True, "completed_at": "2026-01-01T00:00:00Z", "created_by": 1, "version": 9, "id": 1}
        assert api(olga).patch(url(task), sent, format="json").json()["version"] == 2
        task.refresh_from_db()
        assert (task.completed_at, task.created_by) == (None, olga)


class TestList:
    @pytest.fixture
    def three(self, olga, erik, robot, station, alert, make_task):
        """Late work about the robot, planned work about the station, and private work without a date."""
        now = clock.now()
        return [
            make_task(olga, title="late", asset=robot, alert=alert, priority=4, due_date=now - timedelta(days=1)),
            make_task(
                olga,
                title="planned",
                asset=station,
                owners=[erik.pk],
                state="on_hold",
                due_date=now + timedelta(days=1),
            ),
            make_task(olga, title="private", description="needle", state="done"),
        ]

    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ("", ["late", "planned", "private"]),
            ("state=on_hold", ["planned"]),
            ("priority=4", ["late"]),
            ("overdue=true", ["late"]),
            ("overdue=false", ["planned", "private"]),
            ("due_before={now}", ["late"]),
            ("due_after={now}", ["planned"]),
            ("owner={erik}", ["planned"]),
            ("equipment={robot}", ["late"]),
            ("sensor={robot}", []),
            ("sensor={station}", ["planned"]),
            ("alert={alert}", ["late"]),
            ("search=needle", ["private"]),
            ("search=PLAN", ["planned"]),
            ("category={drawer}", ["private"]),
            ("ordering=title", ["late", "planned", "private"]),
            ("ordering=-title", ["private", "planned", "late"]),
            ("ordering=-priority,title", ["late", "planned", "private"]),
            # The one without a date comes last, in both directions and on every database.
            ("ordering=due_date", ["late", "planned", "private"]),
            ("ordering=-due_date", ["planned", "late", "private"]),
        ],
    )
    def test_is_filtered_and_ordered(self, api, olga, erik, robot, station, alert, three, query, titles):
        drawer = Category.objects.create(owner=olga, name="Mine", **factories.STAMPS)
        Task.objects.filter(title="private").update(category=drawer)
        filled = query.format(
            now=clock.isoformat(clock.now()),
            erik=erik.pk,
            robot=robot.pk,
            station=station.pk,
            alert=alert.pk,
            drawer=drawer.pk,
        )
        answer = api(olga).get(f"{TASKS}?{filled}")
        found = [row["title"] for row in answer.json()["results"]]
        assert found == titles if "ordering" in query else sorted(found) == titles

    @pytest.mark.parametrize(
        "query",
        [
            *("state=lost", "priority=7", "priority=x", "overdue=perhaps", "owner=x", "equipment=-1", "colour=red"),
            *("due_before=soon", "due_after=1999-01-01T00:00:00Z", "ordering=owners", "page_size=501", "search=%00"),
            *(f"alert={2**63}", "owner=1e400", "category=NaN"),
        ],
    )
    def test_refuses_parameters_that_make_no_sense(self, api, olga, query):
        assert api(olga).get(f"{TASKS}?{query}").status_code == 400

    def test_shows_the_newest_first(self, api, olga, three):
        assert [row["id"] for row in api(olga).get(TASKS).json()["results"]] == [task.pk for task in reversed(three)]

    def test_costs_the_same_however_long_it_is(self, api, olga, erik, vera, robot, make_task):
        def fill(count):
            for _ in range(count):
                make_task(olga, asset=robot, owners=[olga.pk, erik.pk], shared_with=[(vera.pk, "read")])

        def queries():
            with CaptureQueriesContext(connection) as counted:
                assert client.get(TASKS).status_code == 200
            return len(counted)

        client = api(olga)
        fill(2)
        few = queries()
        fill(10)
        assert queries() == few <= 6


class TestCost:
    @pytest.mark.parametrize(("method", "body", "most"), [("post", {"title": "x"}, 16), ("patch", {"priority": 4}, 20)])
    def test_of_a_write_is_so_many_statements(self, api, olga, robot, make_task, method, body, most):
        task, client = make_task(olga, asset=robot), api(olga)
        path = TASKS if method == "post" else url(task)
        with CaptureQueriesContext(connection) as counted:
            assert getattr(client, method)(path, body, format="json").status_code < 300
        assert len(counted) <= most


class TestListOfAnAsset:
    def test_shows_its_tasks_and_no_others(self, api, vera, olga, robot, station, make_task):
        about = make_task(olga, asset=robot)
        make_task(olga, asset=station)
        make_task(olga)
        answer = api(vera).get(f"/api/equipment/{robot.pk}/tasks/")
        assert (answer.json()["count"], answer.json()["results"][0]["id"]) == (1, about.pk)
        assert api(vera).get(f"/api/sensors/{station.pk}/tasks/?state=open").json()["count"] == 1

    @pytest.mark.parametrize("who", ["oscar", "mallory"])
    def test_of_an_asset_elsewhere_is_not_there(self, api, robot, who, request):
        assert api(request.getfixturevalue(who)).get(f"/api/equipment/{robot.pk}/tasks/").status_code == 404

    def test_knows_an_asset_by_its_own_name_only(self, api, olga, robot, station):
        for path in (f"sensors/{robot.pk}", f"equipment/{station.pk}", f"equipment/{2**64}", "equipment/x"):
            assert api(olga).get(f"/api/{path}/tasks/").status_code == 404

    def test_is_read_only_and_has_no_unknown_parameters(self, api, olga, robot):
        address = f"/api/equipment/{robot.pk}/tasks/"
        assert api(olga).post(address, {"title": "x"}, format="json").status_code == 405
        assert api(olga).get(f"{address}?equipment=1").status_code == 400
        assert api(olga).get(f"{address}?page=0").status_code == 400


class TestAssetDeletion:
    def test_takes_machines_tasks_along_and_leaves_peoples_work(self, olga, robot, alert, make_task):
        machines = services.open_for_alert(alert_id=alert.pk, wish={}, now=factories.NOW)
        mine = make_task(olga, asset=robot)
        services.forget_asset(asset_id=robot.pk, now=factories.NOW)
        mine.refresh_from_db()
        assert (mine.asset, mine.version) == (None, 2)
        assert not Task.objects.filter(pk=machines.pk).exists()
        Asset.objects.filter(pk=robot.pk).delete()
        assert Task.objects.count() == 1
