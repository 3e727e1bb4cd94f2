"""Time spent on tasks: written down by hand or by a clock, counted once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.queries import access_of
from techtrack.accounts.services import delete_user
from techtrack.core import clock
from techtrack.tasks import jobs
from techtrack.tasks.models import Task, TimeEntry
from tests.factories import NOW, make_task

TASKS = "/api/tasks/"


def url(task, entry=None):
    return f"{TASKS}{task.pk}/time/" + (f"{entry}/" if entry else "")


def at(hours):
    return clock.isoformat(NOW - timedelta(hours=hours))


@pytest.fixture(autouse=True)
def the_clock(monkeypatch):
    """``the_clock[0]`` is what time it is."""
    times = [NOW]
    monkeypatch.setattr(clock, "now", lambda: times[0])
    return times


@pytest.fixture
def write_down(api):
    """``write_down(olga, task, 3, 1)``: the answer to having worked from three hours ago to one hour ago."""

    def write(who, task, start, end, **more):
        body = {"started_at": at(start), "ended_at": at(end), **more}
        return api(who).post(url(task), body, format="json")

    return write


def spent(api, who, task):
    return api(who).get(f"{TASKS}{task.pk}/").json()["spent_time"]


class TestByHand:
    def test_adds_up(self, api, olga, erik, robot, write_down):
        task = make_task(olga, asset_id=robot.pk)
        made = write_down(olga, task, 3, 1, note="belt")
        assert (made.status_code, made["ETag"]) == (201, '"1"')
        assert (made.json()["person"], made.json()["note"]) == (olga.pk, "belt")
        write_down(erik, task, 3, 2)
        assert spent(api, olga, task) == "PT3H"

    def test_counts_time_of_one_person_once(self, api, olga, write_down):
        task = make_task(olga)
        for start, end in ((4, 2), (3, 1), (3, 2)):
            write_down(olga, task, start, end)
        assert spent(api, olga, task) == "PT3H"

    def test_follows_corrections_and_deletions(self, api, olga, write_down):
        task = make_task(olga)
        number = write_down(olga, task, 3, 1).json()["id"]
        told = api(olga).patch(url(task, number), {"ended_at": at(2)}, format="json", HTTP_IF_MATCH='"1"')
        assert (told.status_code, told.json()["version"], spent(api, olga, task)) == (200, 2, "PT1H")
        assert api(olga).delete(url(task, number)).status_code == 204
        assert spent(api, olga, task) == "PT0S"

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            pytest.param({"ended_at": at(1)}, "/started_at", "required", id="no start"),
            pytest.param({"started_at": at(1)}, "/ended_at", "end_missing", id="no end"),
            pytest.param({"started_at": at(1), "ended_at": at(2)}, "/ended_at", "time_backwards", id="backwards"),
            pytest.param({"started_at": at(1), "ended_at": at(1)}, "/ended_at", "time_backwards", id="no time at all"),
            pytest.param({"started_at": at(1), "ended_at": at(-1)}, "/ended_at", "time_to_come", id="till later"),
            pytest.param({"started_at": at(-1), "ended_at": at(-2)}, "/started_at", "time_to_come", id="from later"),
            pytest.param({"started_at": at(26), "ended_at": at(1)}, "/ended_at", "too_long", id="day and night"),
            pytest.param({"started_at": "now", "ended_at": at(1)}, "/started_at", "invalid", id="a word for a time"),
        ],
    )
    def test_of_no_time_is_refused_at_its_place(self, api, olga, body, pointer, code):
        told = api(olga).post(url(make_task(olga)), body, format="json")
        assert told.status_code == 400
        assert [(one["pointer"], one["code"]) for one in told.json()["errors"]] == [(pointer, code)]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"started_at": at(0)}, "/started_at", id="the start alone"),
            pytest.param({"ended_at": at(4)}, "/ended_at", id="the end alone"),
            pytest.param({"ended_at": at(4), "started_at": at(2)}, "/ended_at", id="both"),
            pytest.param({"started_at": at(30)}, "/started_at", id="too long"),
        ],
    )
    def test_that_is_corrected_badly_is_refused_at_what_was_said(self, api, olga, write_down, changes, pointer):
        task = make_task(olga)
        number = write_down(olga, task, 3, 1).json()["id"]
        told = api(olga).patch(url(task, number), changes, format="json")
        assert (told.status_code, told.json()["errors"][0]["pointer"]) == (400, pointer)
        assert spent(api, olga, task) == "PT2H"

    def test_is_everybodys_own(self, api, olga, erik, vera, adam, robot, write_down):
        task = make_task(erik, asset_id=robot.pk)
        number = write_down(olga, task, 3, 1).json()["id"]
        assert write_down(vera, task, 3, 1).status_code == 403
        assert api(vera).get(url(task)).json()["count"] == 1
        assert api(erik).patch(url(task, number), {"note": "x"}, format="json").status_code == 403
        assert api(adam).delete(url(task, number)).status_code == 403
        # Who may delete the task may.
        assert api(erik).delete(url(task, number)).status_code == 204

    def test_is_no_new_version_of_the_task_but_news_for_copies(self, api, olga, write_down):
        task = make_task(olga)
        since = api(olga).get(f"{TASKS}changes/").json()["next"]
        write_down(olga, task, 3, 1)
        told = api(olga).get(f"{TASKS}changes/", {"since": since}).json()
        assert [(one["id"], one["version"], one["spent_time"]) for one in told["changed"]] == [(task.pk, 1, "PT2H")]


class TestClock:
    def test_runs_until_it_is_stopped(self, api, olga, the_clock):
        task = make_task(olga)
        started = api(olga).post(f"{url(task)}start/", {"note": "belt"}, format="json")
        assert (started.status_code, started.json()["ended_at"]) == (201, None)
        assert started["Location"].endswith(url(task, started.json()["id"]))
        assert spent(api, olga, task) == "PT0S"
        the_clock[0] += timedelta(minutes=90)
        stopped = api(olga).post(f"{url(task)}stop/")
        assert (stopped.status_code, stopped.json()["ended_at"]) == (200, clock.isoformat(the_clock[0]))
        assert spent(api, olga, task) == "PT1H30M"

    def test_runs_once_for_each_person(self, api, olga, erik, robot):
        one, other = make_task(olga, asset_id=robot.pk), make_task(olga, asset_id=robot.pk)
        assert api(olga).post(f"{url(one)}start/").status_code == 201
        told = api(olga).post(f"{url(other)}start/")
        assert (told.status_code, told.json()["code"]) == (409, "clock_running")
        assert api(erik).post(f"{url(other)}start/").status_code == 201

    def test_that_does_not_run_cannot_be_stopped(self, api, olga, erik, robot):
        task = make_task(olga, asset_id=robot.pk)
        api(olga).post(f"{url(task)}start/")
        told = api(erik).post(f"{url(task)}stop/")
        assert (told.status_code, told.json()["code"]) == (404, "no_clock")

    @pytest.mark.parametrize("state", ["done", "cancelled"])
    def test_stops_when_the_work_is_over(self, api, olga, the_clock, state):
        task = make_task(olga)
        api(olga).post(f"{url(task)}start/")
        the_clock[0] += timedelta(hours=1)
        told = api(olga).patch(f"{TASKS}{task.pk}/", {"state": state}, format="json").json()
        assert told["spent_time"] == "PT1H"
        assert not TimeEntry.objects.filter(ended_at=None).exists()

    @pytest.mark.parametrize("state", ["done", "cancelled"])
    def test_is_not_started_for_work_that_is_over(self, api, olga, state):
        task = make_task(olga, state=state)
        told = api(olga).post(f"{url(task)}start/")
        assert (told.status_code, told.json()["code"]) == (409, "task_finished")

    def test_stops_with_a_task_that_is_deleted(self, api, olga, the_clock):
        task, other = make_task(olga), make_task(olga)
        api(olga).post(f"{url(task)}start/")
        the_clock[0] += timedelta(hours=1)
        assert api(olga).delete(f"{TASKS}{task.pk}/").status_code == 204
        assert api(olga).post(f"{url(other)}start/").status_code == 201
        api(olga).post(f"{TASKS}{task.pk}/restore/")
        assert spent(api, olga, task) == "PT1H"

    def test_stops_with_a_person_who_goes(self, api, adam, olga, erik, robot, the_clock):
        task = make_task(erik, asset_id=robot.pk)
        api(olga).post(f"{url(task)}start/")
        the_clock[0] += timedelta(hours=1)
        delete_user(user=olga, by=access_of(adam), expected=None, now=the_clock[0])
        the_clock[0] += timedelta(hours=1)
        assert api(erik).patch(f"{TASKS}{task.pk}/", {"state": "done"}, format="json").json()["spent_time"] == "PT1H"

    def test_that_nobody_stops_runs_as_long_as_anybody_works(self, api, olga, erik, the_clock):
        task = make_task(olga, owners=[olga, erik])
        api(olga).post(f"{url(task)}start/")
        the_clock[0] += timedelta(hours=2)
        api(erik).post(f"{url(task)}start/")
        the_clock[0] += timedelta(hours=22) - timedelta(seconds=1)
        jobs.stop_clocks()
        assert TimeEntry.objects.filter(ended_at=None).count() == 2
        the_clock[0] += timedelta(hours=1)
        jobs.stop_clocks()
        assert [row.person_id for row in TimeEntry.objects.filter(ended_at=None)] == [erik.pk]
        assert spent(api, olga, task) == "P1D"

    def test_that_is_stopped_too_late_counts_no_longer(self, api, olga, the_clock):
        task = make_task(olga)
        api(olga).post(f"{url(task)}start/")
        the_clock[0] += timedelta(days=3)
        stopped = api(olga).post(f"{url(task)}stop/").json()
        assert stopped["ended_at"] == clock.isoformat(NOW + timedelta(hours=24))

    def test_is_not_started_again_by_who_read_it_before_it_stopped(self, api, olga, the_clock):
        task = make_task(olga)
        running = api(olga).post(f"{url(task)}start/").json()
        the_clock[0] += timedelta(hours=1)
        api(olga).post(f"{url(task)}stop/")
        told = api(olga).put(url(task, running["id"]), running | {"note": "belt"}, format="json")
        assert (told.status_code, told.json()["code"]) == (400, "end_missing")
        assert spent(api, olga, task) == "PT1H"

    def test_can_be_given_a_note_while_it_runs_and_no_other_time(self, api, olga):
        task = make_task(olga)
        number = api(olga).post(f"{url(task)}start/").json()["id"]
        assert api(olga).patch(url(task, number), {"note": "belt"}, format="json").status_code == 200
        told = api(olga).patch(url(task, number), {"started_at": at(2)}, format="json")
        assert (told.status_code, told.json()["code"]) == (400, "end_missing")
        whole = api(olga).get(url(task, number)).json()
        assert api(olga).put(url(task, number), whole, format="json").status_code == 200

    def test_of_a_machine_that_is_behind_runs_forwards(self, api, olga, the_clock):
        task = make_task(olga)
        api(olga).post(f"{url(task)}start/")
        the_clock[0] -= timedelta(seconds=2)
        assert api(olga).post(f"{url(task)}stop/").status_code == 200
        assert Task.objects.get().spent_seconds == 0
