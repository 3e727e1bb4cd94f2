"""Down times over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from techtrack.accounts.queries import access_of
from techtrack.tasks import services
from techtrack.tasks.models import Downtime, Task
from techtrack.tasks.services.downtimes import NotDown
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
DOWNTIMES = "/api/downtimes/"


@pytest.fixture(autouse=True)
def _at_noon():
    with time_machine.travel(NOW, tick=False):
        yield


def note(client, robot, **data):
    return client.post(DOWNTIMES, {"equipment": robot.pk} | data, format="json")


class TestDowntime:
    def test_begins_now_and_lasts_until_somebody_ends_it(self, api, olga, robot):
        told = note(api(olga), robot, reason="Gear broken").json()
        assert (told["starts_at"], told["ends_at"], told["planned"], told["created_by"]) == (
            "2026-11-21T10:00:00Z",
            None,
            False,
            olga.pk,
        )
        with time_machine.travel("2026-11-21T12:30:00Z", tick=False):
            ended = api(olga).post(f"{DOWNTIMES}{told['id']}/end/", format="json").json()
            again = api(olga).post(f"{DOWNTIMES}{told['id']}/end/", format="json")
        assert (ended["ends_at"], ended["version"]) == ("2026-11-21T12:30:00Z", 2)
        assert (again.status_code, again.json()["code"]) == (409, "not_down")

    def test_is_noted_afterwards_and_corrected(self, api, olga, robot):
        told = note(api(olga), robot, starts_at="2026-11-20T08:00:00Z", ends_at="2026-11-20T09:00:00Z").json()
        path = f"{DOWNTIMES}{told['id']}/"
        later = api(olga).patch(path, {"ends_at": "2026-11-20T10:00:00Z", "planned": True}, format="json").json()
        assert (later["ends_at"], later["planned"], later["starts_at"]) == (
            "2026-11-20T10:00:00Z",
            True,
            "2026-11-20T08:00:00Z",
        )
        assert api(olga).put(path, {"equipment": robot.pk}, format="json").json()["planned"] is False
        assert api(olga).delete(path).status_code == 204

    @pytest.mark.parametrize("change", ["moved", "about nothing"])
    def test_can_be_changed_when_its_task_is_about_something_else(self, api, olga, robot, station, change):
        task = factories.make_task(olga, asset=robot)
        told = note(api(olga), robot, task=task.pk).json()
        Task.objects.filter(pk=task.pk).update(asset=station if change == "moved" else None)
        path = f"{DOWNTIMES}{told['id']}/"
        assert api(olga).patch(path, {"reason": "Gear"}, format="json").status_code == 200
        assert api(olga).put(path, api(olga).get(path).json(), format="json").status_code == 200
        other = note(api(olga), robot, planned=True, ends_at="2026-11-22T00:00:00Z").json()
        refused = api(olga).patch(f"{DOWNTIMES}{other['id']}/", {"task": task.pk}, format="json")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/task")

    def test_is_ended_by_one_of_two_who_press_the_button(self, olga, erik, robot):
        begun = {"asset": robot, "starts_at": NOW - timedelta(hours=1)}
        row = services.create_downtime(by=access_of(olga), data=begun, now=NOW)
        same = Downtime.objects.get(pk=row.pk)
        services.end_downtime(downtime=row, by=access_of(olga), expected=None, now=NOW)
        with pytest.raises(NotDown):
            services.end_downtime(downtime=same, by=access_of(erik), expected=None, now=NOW)

    def test_is_planned_ahead(self, api, olga, robot):
        answer = note(api(olga), robot, planned=True, starts_at="2026-12-24T00:00:00Z", ends_at="2026-12-27T00:00:00Z")
        assert answer.status_code == 201

    @pytest.mark.parametrize("planned", [False, True], ids=["broken", "planned"])
    def test_is_one_at_a_time_of_each_kind(self, api, olga, robot, planned):
        note(api(olga), robot, planned=planned)
        again = note(api(olga), robot, planned=planned)
        assert (again.status_code, again.json()["code"]) == (409, "down_already")
        assert note(api(olga), robot, planned=not planned).status_code == 201

    @pytest.mark.parametrize(
        ("wrong", "pointer"),
        [
            pytest.param({"equipment": None}, "/equipment", id="of nothing"),
            pytest.param({"ends_at": "2026-11-21T09:00:00Z"}, "/ends_at", id="ends before it starts"),
            pytest.param({"ends_at": "2026-11-21T10:00:00Z"}, "/ends_at", id="ends as it starts"),
            pytest.param({"starts_at": "2026-11-23T00:00:00Z"}, "/starts_at", id="a failure in the future"),
            pytest.param({"starts_at": "monday"}, "/starts_at", id="no time"),
            pytest.param({"planned": "perhaps"}, "/planned", id="no flag"),
            pytest.param({"task": 999_999}, "/task", id="no such task"),
            pytest.param({"cause": "Gear"}, "/cause", id="an unknown member"),
        ],
    )
    def test_that_never_was_is_refused(self, api, olga, robot, wrong, pointer):
        answer = note(api(olga), robot, **wrong)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
        assert not Downtime.objects.exists()

    def test_names_a_task_about_the_same_asset(self, api, olga, robot, station):
        by = access_of(olga)
        about = [services.create_task(by=by, data={"title": "Mend", "asset": one}, now=NOW) for one in (robot, station)]
        assert note(api(olga), robot, task=about[1].pk).json()["errors"][0]["pointer"] == "/task"
        assert note(api(olga), robot, task=about[0].pk).json()["task"] == about[0].pk

    def test_moves_no_asset_out_of_reach(self, api, olga, robot, other_site):
        told = note(api(olga), robot).json()
        far = factories.make_equipment(site=other_site)
        answer = api(olga).patch(f"{DOWNTIMES}{told['id']}/", {"equipment": far.pk}, format="json")
        assert answer.status_code == 400

    def test_is_read_by_viewers_and_written_by_operators(self, api, olga, vera, mallory, robot):
        told = note(api(olga), robot).json()
        assert api(vera).get(f"{DOWNTIMES}{told['id']}/").status_code == 200
        assert note(api(vera), robot).status_code == 403
        assert api(vera).post(f"{DOWNTIMES}{told['id']}/end/").status_code == 403
        assert api(mallory).get(f"{DOWNTIMES}{told['id']}/").status_code == 404

    def test_lets_the_faster_one_win(self, api, olga, robot):
        told = note(api(olga), robot, starts_at="2026-11-21T09:00:00Z").json()
        path = f"{DOWNTIMES}{told['id']}/"
        api(olga).patch(path, {"reason": "Gear"}, format="json")
        for late in (
            api(olga).patch(path, {"reason": "Belt"}, format="json", headers={"If-Match": '"1"'}),
            api(olga).post(f"{path}end/", format="json", headers={"If-Match": '"1"'}),
        ):
            assert (late.status_code, late.json()["current"]["reason"]) == (412, "Gear")


class TestList:
    @pytest.mark.parametrize(
        ("query", "reasons"),
        [
            pytest.param({}, ["Open", "Planned", "Old"], id="the newest first"),
            pytest.param({"open": "true"}, ["Open"], id="down still"),
            pytest.param({"planned": "true"}, ["Planned"], id="planned"),
            pytest.param({"ends_after": "2026-11-15T00:00:00Z"}, ["Open", "Planned"], id="not over by then"),
            pytest.param({"starts_before": "2026-11-15T00:00:00Z"}, ["Old"], id="begun by then"),
            pytest.param({"search": "pla"}, ["Planned"], id="by a word"),
        ],
    )
    def test_narrows(self, api, vera, robot, query, reasons):
        factories.make_downtime(robot, reason="Old", starts_at="2026-11-01T00:00:00Z", ends_at="2026-11-02T00:00:00Z")
        factories.make_downtime(robot, reason="Planned", planned=True)
        factories.make_downtime(robot, reason="Open", starts_at=NOW, ends_at=None)
        found = api(vera).get(DOWNTIMES, query).json()["results"]
        assert [one["reason"] for one in found] == reasons
