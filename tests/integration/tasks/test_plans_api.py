"""Plans over HTTP: what asks for work, of which assets, what is to come, and a task ahead of its time."""

from __future__ import annotations

import pytest
import time_machine

from techtrack.assets.models import AssetType
from techtrack.tasks.models import Course, Plan, Task
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.upkeep import DAY, HOUR, MINUTE, MONDAY, WEEKLY, count, look, send

pytestmark = pytest.mark.django_db
PLANS = "/api/plans/"
HOURS = {"kind": "hours", "parameter": "speed", "above": 100.0}
WEEKLY_PLAN = {"name": "Grease it", "schedule": WEEKLY}


@pytest.fixture(autouse=True)
def _at_noon():
    with time_machine.travel(NOW, tick=False):
        yield


def make(client, **data):
    answer = client.post(PLANS, WEEKLY_PLAN | data, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


class TestPlan:
    def test_is_made_and_given_back(self, api, erik, olga, robot):
        body = {
            "name": "Grease it",
            "title": "Grease the bearings",
            "description": "With the grease that the plate names.",
            "priority": 3,
            "estimated_time": "PT30M",
            "checklist": [{"type": "number", "title": "Temperature", "unit": "Cel", "high": 82}],
            "owners": [olga.pk],
            "equipment": robot.pk,
            "schedule": WEEKLY | {"catch_up": "skip"},
            "meters": [{"meter": HOURS, "every": 500}],
            "lead_time": "P7D",
            "season": {"from": "03-01", "to": "12-31"},
            "last_done": "2026-11-16T08:00:00Z",
        }
        told = api(erik).post(PLANS, body, format="json").json()
        assert {name: told[name] for name in body if name not in {"checklist", "meters"}} == {
            name: value for name, value in body.items() if name not in {"checklist", "meters"}
        }
        assert told["meters"][0]["every"] == 500
        assert told["checklist"][0]["key"]
        assert (told["sensor"], told["asset_type"], told["site"], told["enabled"], told["version"]) == (
            None,
            None,
            None,
            True,
            1,
        )
        assert told["timezone"] == "Europe/Berlin"
        assert api(erik).get(f"{PLANS}{told['id']}/").json() == told

    def test_given_back_as_it_was_is_the_same(self, api, erik, robot):
        client = api(erik)
        told = make(client, equipment=robot.pk)
        again = client.put(f"{PLANS}{told['id']}/", told, format="json").json()
        assert again == told | {"version": 2, "updated_at": again["updated_at"], "next": again["next"]}

    def test_put_returns_what_it_leaves_out_to_its_default(self, api, erik, robot):
        client = api(erik)
        told = make(client, equipment=robot.pk, priority=4, lead_time="P1D", owners=[erik.pk], enabled=False)
        again = client.put(f"{PLANS}{told['id']}/", WEEKLY_PLAN | {"equipment": robot.pk}, format="json").json()
        assert (again["priority"], again["lead_time"], again["owners"], again["enabled"]) == (2, "PT0S", [], True)

    def test_merges_a_patch(self, api, erik, robot):
        client = api(erik)
        told = make(client, equipment=robot.pk, meters=[{"meter": HOURS, "every": 500}])
        path = f"{PLANS}{told['id']}/"
        later = client.patch(path, {"schedule": {"rrule": "FREQ=DAILY"}}, format="json").json()
        assert (later["schedule"]["rrule"], later["schedule"]["dtstart"]) == ("FREQ=DAILY", WEEKLY["dtstart"])
        assert later["meters"] == told["meters"]
        assert client.patch(path, {"schedule": None}, format="json").json()["schedule"] is None
        none = client.patch(path, {"meters": []}, format="json")
        assert (none.status_code, none.json()["code"]) == (400, "bad_plan")

    def test_moves_from_an_asset_to_its_type_and_back(self, api, adam, robot):
        client = api(adam)
        path = f"{PLANS}{make(client, equipment=robot.pk)['id']}/"
        told = client.patch(path, {"asset_type": "robot"}, format="json").json()
        assert (told["equipment"], told["asset_type"]) == (None, "robot")
        told = client.patch(path, {"equipment": robot.pk}, format="json").json()
        assert (told["equipment"], told["asset_type"]) == (robot.pk, None)

    def test_is_for_a_sensor_as_well(self, api, erik, station):
        assert make(api(erik), sensor=station.pk)["sensor"] == station.pk

    def test_goes(self, api, erik, olga, robot):
        client = api(erik)
        told = make(client, equipment=robot.pk)
        [task] = look(MONDAY)
        assert api(olga).get(f"/api/tasks/{task.pk}/").json()["plan"] == told["id"]
        assert client.delete(f"{PLANS}{told['id']}/").status_code == 204
        assert api(olga).get(f"/api/tasks/{task.pk}/").json()["plan"] is None
        assert not Course.objects.exists()

    def test_is_written_in_bulk(self, api, erik, robot):
        items = [{"action": "create", "body": WEEKLY_PLAN | {"name": f"Plan {n}", "equipment": robot.pk}} for n in "ab"]
        assert api(erik).post(f"{PLANS}bulk/", {"items": items}, format="json").json()["stored"]
        assert Course.objects.count() == 2


BAD = [
    pytest.param({"schedule": None}, "", "bad_plan", id="nothing asks for it"),
    pytest.param(
        {"schedule": {"rrule": "FREQ=SECONDLY", "dtstart": "2026-11-02T06:00"}},
        "/schedule/rrule",
        None,
        id="each second",
    ),
    pytest.param(
        {"schedule": {"rrule": "FREQ=MINUTELY", "dtstart": "2026-11-02T06:00"}},
        "/schedule/rrule",
        None,
        id="each minute",
    ),
    pytest.param({"schedule": {"rrule": "FREQ=WEEKLY"}}, "/schedule/dtstart", None, id="no start"),
    pytest.param({"schedule": "weekly"}, "/schedule", None, id="a text for a schedule"),
    pytest.param({"schedule": WEEKLY | {"anchor": "sometimes"}}, "/schedule/anchor", None, id="an unknown anchor"),
    pytest.param({"timezone": "Europe/Atlantis"}, "/timezone", None, id="no such time zone"),
    pytest.param({"lead_time": "soon"}, "/lead_time", None, id="no duration"),
    pytest.param({"lead_time": "P400D"}, "/lead_time", None, id="too long a lead"),
    pytest.param({"season": {"from": "13-01", "to": "12-31"}}, "/season/from", None, id="no such month"),
    pytest.param({"meters": [{"meter": HOURS, "every": 0}]}, "/meters/0/every", None, id="every nothing"),
    pytest.param(
        {"meters": [{"meter": {"kind": "miles", "parameter": "x"}, "every": 5}]},
        "/meters/0/meter/kind",
        None,
        id="an unknown meter",
    ),
    pytest.param({"meters": [{"every": 5}]}, "/meters/0/meter", None, id="no meter"),
    pytest.param({"meters": ["hours"]}, "/meters/0", None, id="a text for a meter"),
    pytest.param({"conditions": [{"rule": 999_999}]}, "/conditions/0/rule", "does_not_exist", id="no such rule"),
    pytest.param({"conditions": [{"rule": "hot"}]}, "/conditions/0/rule", None, id="a rule by name"),
    pytest.param({"owners": [999_999]}, "/owners/0", "unknown_person", id="no such person"),
    pytest.param({"checklist": [{"type": "riddle", "title": "Why"}]}, "/checklist/0", None, id="no such step"),
    pytest.param({"asset_type": "robot"}, "/asset_type", None, id="for an asset and for a type"),
    pytest.param({"equipment": None}, "/asset_type", None, id="for nothing"),
    pytest.param({"equipment": 999_999}, "/equipment", None, id="no such asset"),
    pytest.param({"last_done": "2026-11-22T00:00:00Z"}, "/last_done", None, id="done in the future"),
    pytest.param({"priority": 9}, "/priority", None, id="no such priority"),
    pytest.param({"estimated_time": "-PT1H"}, "/estimated_time", None, id="less than no time"),
    pytest.param({"cadence": "weekly"}, "/cadence", "unknown_field", id="an unknown member"),
]


class TestBadPlans:
    @pytest.mark.parametrize(("wrong", "pointer", "code"), BAD)
    def test_are_refused_with_the_place(self, api, erik, robot, wrong, pointer, code):
        answer = api(erik).post(PLANS, WEEKLY_PLAN | {"equipment": robot.pk} | wrong, format="json")
        assert answer.status_code == 400, answer.json()
        [fault, *_] = answer.json()["errors"]
        assert fault["pointer"].startswith(pointer)
        assert code in {None, fault["code"], answer.json()["code"]}
        assert not Plan.objects.exists()

    @pytest.mark.parametrize(("wrong", "pointer", "code"), BAD)
    def test_are_refused_in_a_patch_as_well(self, api, erik, robot, wrong, pointer, code):
        client = api(erik)
        told = make(client, equipment=robot.pk)
        answer = client.patch(f"{PLANS}{told['id']}/", wrong, format="json")
        if wrong == {"asset_type": "robot"}:
            # To be for all robots it takes an engineer of all sites.
            assert answer.status_code == 403
            return
        if wrong == {"schedule": {"rrule": "FREQ=WEEKLY"}}:
            # The start that is there stays.
            assert answer.status_code == 200
            return
        assert answer.status_code == 400, answer.json()
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)


class TestWhoMay:
    def test_of_a_type_at_a_site_its_engineer(self, api, erik, edda, robot, plant):
        told = make(api(erik), asset_type="robot", site=plant.pk)
        assert told["site"] == plant.pk
        body = WEEKLY_PLAN | {"asset_type": "robot", "site": plant.pk}
        assert api(edda).post(PLANS, body, format="json").status_code == 400
        assert api(edda).get(f"{PLANS}{told['id']}/").status_code == 404

    def test_of_a_type_anywhere_an_engineer_for_all_sites(self, api, erik, adam, robot):
        body = WEEKLY_PLAN | {"asset_type": "robot"}
        assert api(erik).post(PLANS, body, format="json").status_code == 403
        assert api(adam).post(PLANS, body, format="json").status_code == 201
        # Everybody with a role somewhere sees it, and of its assets the own ones.
        assert api(erik).get(PLANS).json()["count"] == 1

    def test_operators_and_viewers_read(self, api, erik, olga, vera, mallory, robot):
        told = make(api(erik), equipment=robot.pk)
        path = f"{PLANS}{told['id']}/"
        for person in (olga, vera):
            assert api(person).get(path).status_code == 200
            assert api(person).patch(path, {"name": "Mine"}, format="json").status_code == 403
            assert api(person).delete(path).status_code == 403
        assert api(mallory).get(path).status_code == 404

    def test_of_the_assets_of_a_plan_one_reads_those_that_one_sees(self, api, adam, vera, robot, other_site):
        factories.make_equipment(site=other_site, type=robot.type)
        told = make(api(adam), asset_type="robot")
        mine = api(vera).get(f"{PLANS}{told['id']}/assets/").json()["results"]
        assert [row["equipment"] for row in mine] == [robot.pk]
        assert api(adam).get(f"{PLANS}{told['id']}/assets/").json()["count"] == 2
        assert api(vera).get(f"{PLANS}{told['id']}/").json()["next"]["equipment"] == robot.pk


class TestOutlook:
    def test_tells_what_comes_first_and_why(self, api, erik, robot):
        client = api(erik)
        # Eight hours a day, for four weeks.
        for day in range(28, 0, -1):
            start = NOW - day * DAY
            send(robot, start, start + 8 * HOUR, every=10 * MINUTE, speed=1500.0)
            send(robot, start + 8 * HOUR, start + 24 * HOUR, every=10 * MINUTE, speed=0.0)
        told = make(client, equipment=robot.pk, timezone="UTC", meters=[{"meter": HOURS, "every": 80}])
        count(NOW)
        look(NOW)
        [row] = client.get(f"{PLANS}{told['id']}/assets/").json()["results"]
        assert (row["due"], row["kind"], row["reason"], row["task"]) == (
            "2026-11-23T06:00:00Z",
            "calendar",
            "scheduled",
            None,
        )
        calendar, meter = row["outlooks"]
        assert (calendar["due"], meter["reason"], meter["kind"]) == (row["due"], "projected", "meter")
        assert meter["due"].startswith("2026-12-01")
        assert client.get(f"{PLANS}{told['id']}/").json()["next"] == row

    def test_names_the_task_that_waits(self, api, erik, robot):
        told = make(api(erik), equipment=robot.pk)
        [task] = look(MONDAY)
        shown = api(erik).get(f"{PLANS}{told['id']}/").json()["next"]
        assert (shown["task"], shown["tasks_so_far"]) == (task.pk, 1)

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            pytest.param({"equipment": "robot"}, ["Robot 1", "Robots"], id="of an asset, by its type as well"),
            pytest.param({"asset_type": "robot"}, ["Robots"], id="of a type"),
            pytest.param({"site": "plant"}, ["Robot 1"], id="of a site"),
            pytest.param({"enabled": "false"}, ["Paused"], id="paused"),
            pytest.param({"search": "robots"}, ["Robots"], id="by a word"),
            pytest.param({"rule": "rule"}, ["Paused"], id="by a rule"),
        ],
    )
    def test_lists_narrow(self, api, adam, robot, plant, query, names):
        client, rule = api(adam), factories.make_rule(site=plant)
        other = factories.make_equipment()
        make(client, name="Robot 1", equipment=robot.pk)
        make(client, name="Robots", asset_type="robot")
        make(client, name="Paused", equipment=other.pk, enabled=False, conditions=[{"rule": rule.pk}])
        ids = {"robot": robot.pk, "plant": plant.pk, "rule": rule.pk}
        told = {name: ids.get(value, value) if name != "asset_type" else value for name, value in query.items()}
        found = client.get(PLANS, told).json()["results"]
        assert [plan["name"] for plan in found] == names

    def test_lists_do_not_tell_of_what_type_an_asset_is_that_one_does_not_see(self, api, adam, vera, robot, other_site):
        far = factories.make_equipment(site=other_site, type=robot.type)
        make(api(adam), asset_type="robot")
        assert api(vera).get(PLANS, {"equipment": robot.pk}).json()["count"] == 1
        assert api(vera).get(PLANS, {"equipment": far.pk}).json()["count"] == 0


class TestUpcoming:
    def test_tells_the_dates_of_the_calendar(self, api, erik, robot):
        make(api(erik), equipment=robot.pk, timezone="UTC")
        found = api(erik).get(f"{PLANS}upcoming/", {"from": "2026-11-21", "to": "2026-12-15"}).json()["results"]
        assert [one["due"] for one in found] == [
            f"2026-{day}T06:00:00Z" for day in ("11-23", "11-30", "12-07", "12-14")
        ]
        assert {(one["plan_name"], one["equipment"], one["certain"]) for one in found} == {
            ("Grease it", robot.pk, True)
        }

    def test_tells_of_work_that_comes_often_however_far_ahead(self, api, erik, robot):
        make(api(erik), equipment=robot.pk, timezone="UTC", schedule=WEEKLY | {"rrule": "FREQ=HOURLY"})
        day = {"from": "2027-06-01T00:00:00Z", "to": "2027-06-02T00:00:00Z"}
        assert len(api(erik).get(f"{PLANS}upcoming/", day).json()["results"]) == 24

    def test_tells_of_those_that_one_sees(self, api, adam, oscar, vera, robot):
        make(api(adam), asset_type="robot")
        assert api(vera).get(f"{PLANS}upcoming/").json()["results"]
        assert api(oscar).get(f"{PLANS}upcoming/").json()["results"] == []
        assert api(oscar).get(f"{PLANS}upcoming/", {"equipment": robot.pk}).status_code == 404

    def test_tells_nothing_of_what_is_paused(self, api, erik, robot):
        make(api(erik), equipment=robot.pk, enabled=False)
        assert api(erik).get(f"{PLANS}upcoming/").json()["results"] == []

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            pytest.param({"from": "tomorrow"}, "?from", id="no time"),
            pytest.param({"from": "2026-12-01", "to": "2026-11-01"}, "?from", id="backwards"),
            pytest.param({"to": "2029-11-01"}, "?to", id="too long"),
            pytest.param({"site": "plant"}, "?site", id="no id"),
            pytest.param({"timezone": "Mars"}, "?timezone", id="no time zone"),
            pytest.param({"plan": "1"}, "?plan", id="an unknown parameter"),
        ],
    )
    def test_refuses_what_is_no_question(self, api, erik, query, pointer):
        answer = api(erik).get(f"{PLANS}upcoming/", query)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


class TestAhead:
    def test_opens_the_next_task_now(self, api, erik, olga, robot):
        told = make(api(erik), equipment=robot.pk)
        answer = api(olga).post(f"{PLANS}{told['id']}/task/", {}, format="json")
        assert (answer.status_code, answer.json()["plan"], answer.json()["equipment"]) == (201, told["id"], robot.pk)
        assert answer["Location"].endswith(f"/api/tasks/{answer.json()['id']}/")
        again = api(olga).post(f"{PLANS}{told['id']}/task/", {}, format="json")
        assert (again.status_code, again.json()["code"]) == (409, "task_waits")
        assert look(MONDAY) == []

    def test_asks_at_which_asset(self, api, adam, robot, station):
        told = make(api(adam), asset_type="robot")
        path = f"{PLANS}{told['id']}/task/"
        assert api(adam).post(path, {}, format="json").json()["errors"][0]["pointer"] == "/asset"
        other = api(adam).post(path, {"asset": station.pk}, format="json")
        assert (other.status_code, other.json()["code"]) == (400, "not_of_this_plan")
        assert api(adam).post(path, {"asset": robot.pk}, format="json").status_code == 201
        assert Task.objects.get().asset_id == robot.pk

    def test_needs_an_operator(self, api, erik, vera, robot):
        told = make(api(erik), equipment=robot.pk)
        assert api(vera).post(f"{PLANS}{told['id']}/task/", {}, format="json").status_code == 403


class TestTypes:
    def test_keep_by_what_one_sees_that_one_runs(self, api, adam):
        client = api(adam)
        running = {"parameter": "speed", "above": {"attribute": "idle", "default": 100}}
        told = client.post("/api/asset-types/", {"slug": "press", "name": "Press", "running": running}, format="json")
        assert (told.status_code, told.json()["running"]) == (201, running)
        path = f"/api/asset-types/{told.json()['id']}/"
        assert client.patch(path, {"running": None}, format="json").json()["running"] is None

    @pytest.mark.parametrize(
        "running",
        [
            pytest.param({"above": 5}, id="no parameter"),
            pytest.param({"parameter": "speed", "below": 5}, id="an unknown member"),
            pytest.param("speed", id="a text"),
        ],
    )
    def test_refuse_what_nothing_can_be_seen_by(self, api, adam, running):
        body = {"slug": "press", "name": "Press", "running": running}
        answer = api(adam).post("/api/asset-types/", body, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"].startswith("/running")
        assert not AssetType.objects.filter(slug="press").exists()
