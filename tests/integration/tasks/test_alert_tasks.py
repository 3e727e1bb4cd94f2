"""Tasks that a rule opens for an alert."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from techtrack.accounts import queries as accounts
from techtrack.assets.events import WhatHolds
from techtrack.tasks import queries, services
from techtrack.tasks.models import Proof, State, Task, TaskOwner
from tests import factories


def open_task(alert, wish=None):
    return services.open_for_alert(alert_id=alert.pk, wish=wish or {}, now=factories.NOW)


def finish(task, by, state=State.DONE):
    return services.update_task(
        task=task, by=accounts.access_of(by), changes={"state": state}, expected=None, now=factories.NOW
    )


class TestOpenForAlert:
    def test_says_what_the_rule_wishes_and_what_the_alert_is_about(self, alert, robot):
        task = open_task(alert, {"title": "Cool it"})
        task.refresh_from_db()
        assert (task.title, task.priority, task.state) == ("Cool it", 4, "open")
        assert (task.alert, task.asset.pk, task.created_by, task.owners) == (alert, robot.pk, None, [])

    def test_opens_one_however_often_the_alert_is_raised(self, alert):
        assert open_task(alert) is not None
        assert open_task(alert) is None
        assert Task.objects.count() == 1

    def test_leaves_the_transaction_of_its_caller_usable(self, alert):
        with transaction.atomic():
            open_task(alert)
            assert open_task(alert) is None
            assert Task.objects.count() == 1

    @pytest.mark.parametrize("state", [State.DONE, State.CANCELLED])
    def test_opens_another_once_the_first_is_finished(self, alert, olga, state):
        finish(open_task(alert), olga, state)
        assert open_task(alert) is not None

    def test_opens_none_beside_one_for_an_earlier_alert_of_the_same_rule(self, robot, olga):
        rule = factories.make_rule()
        task = open_task(factories.make_alert(robot, rule=rule, is_open=False, active=False))
        again = factories.make_alert(robot, rule=rule)
        assert open_task(again) is None
        finish(task, olga)
        Proof.objects.all().delete()
        assert open_task(again) is not None

    def test_opens_one_beside_that_of_another_rule_or_asset(self, robot, station):
        rule = factories.make_rule()
        open_task(factories.make_alert(robot, rule=rule))
        assert open_task(factories.make_alert(robot, rule=factories.make_rule())) is not None
        assert open_task(factories.make_alert(station, rule=rule)) is not None

    def test_opens_one_beside_what_people_do_about_an_earlier_alert(self, robot, olga, make_task):
        rule = factories.make_rule()
        make_task(olga, asset=robot, alert=factories.make_alert(robot, rule=rule, is_open=False, active=False))
        assert open_task(factories.make_alert(robot, rule=rule)) is not None

    def test_does_not_count_tasks_of_people(self, alert, olga, make_task):
        make_task(olga, alert=alert)
        assert open_task(alert) is not None

    def test_goes_with_its_cause(self, alert):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            assert open_task(alert).pk / 0
        assert Task.objects.count() == 0

    @pytest.mark.usefixtures("transactional_db")
    def test_opens_one_when_two_race(self, alert):
        start = threading.Barrier(2)

        def race():
            start.wait()
            try:
                return open_task(alert)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            opened = [future.result() for future in [pool.submit(race), pool.submit(race)]]
        assert opened.count(None) == 1
        assert Task.objects.count() == 1


class TestReopening:
    def test_beside_another_open_one_is_a_conflict(self, api, alert, olga):
        first = finish(open_task(alert), olga)
        open_task(alert)
        answer = api(olga).patch(f"/api/tasks/{first.pk}/", {"state": "open"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "another_task_is_open")
        first.refresh_from_db()
        assert (first.state, first.version) == ("done", 2)


class TestWhatWeHold:
    def hold(self, robot):
        return queries.what_we_hold(WhatHolds(asset_id=robot.pk))

    def test_tells_what_would_go_with_the_asset(self, alert, olga, robot, make_task):
        assert self.hold(robot) == []
        finish(open_task(alert), olga)
        assert self.hold(robot) == ["1 task"]
        taken = open_task(alert)
        assert self.hold(robot) == ["2 tasks"]
        # Work that somebody has made or taken stays, without the asset.
        make_task(olga, asset=robot)
        TaskOwner.objects.create(task=taken, user=olga)
        assert self.hold(robot) == ["1 task"]
