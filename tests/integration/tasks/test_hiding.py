"""While somebody works on an alert, the alerts of the asset are hidden: the work itself pages nobody."""

from __future__ import annotations

import pytest

from techtrack.accounts.models import Membership
from techtrack.accounts.queries import access_of
from techtrack.alerts import hiding
from techtrack.alerts.models import Alert, Suppression
from techtrack.assets import services as assets
from techtrack.tasks import services
from techtrack.tasks.models import Task, TaskShare
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.upkeep import DAY, HOUR, MONDAY, WEEKLY, look, make_plan


@pytest.fixture
def task(alert, olga, robot, make_task):
    return make_task(olga, alert=alert, asset=robot)


def change(task, by, **changes):
    return services.update_task(task=task, by=access_of(by), changes=changes, expected=None, now=NOW)


def suppressed():
    return list(Suppression.objects.values_list("asset", "by", "until"))


class TestWork:
    def test_hides_while_it_is_in_progress(self, task, olga, robot):
        assert suppressed() == []
        change(task, olga, state="in_progress")
        assert suppressed() == [(robot.pk, f"task:{task.pk}", NOW + DAY)]
        change(task, olga, title="Look closer")
        assert suppressed() == [(robot.pk, f"task:{task.pk}", NOW + DAY)]

    @pytest.mark.parametrize("state", ["done", "cancelled", "on_hold", "open"])
    def test_ends_with_it(self, task, olga, state):
        change(task, olga, state="in_progress")
        change(task, olga, state=state)
        assert suppressed() == []

    def test_that_is_made_in_progress_hides_at_once(self, alert, olga, robot, make_task):
        made = make_task(olga, alert=alert, asset=robot, state="in_progress")
        assert suppressed() == [(robot.pk, f"task:{made.pk}", NOW + DAY)]

    def test_that_lasts_for_longer_than_a_day_hides_on_where_somebody_says_so(self, task, olga, robot):
        change(task, olga, state="in_progress")
        later = {"changes": {"state": "in_progress"}, "expected": None, "now": NOW + HOUR}
        services.update_task(task=task, by=access_of(olga), **later)
        assert suppressed() == [(robot.pk, f"task:{task.pk}", NOW + HOUR + DAY)]

    @pytest.mark.parametrize("who", ["mallory", "vera"], ids=["an outsider", "who only reads of the asset"])
    def test_of_who_does_not_operate_the_asset_hides_nothing_and_may_end(
        self, request, alert, olga, robot, make_task, who
    ):
        helper = request.getfixturevalue(who)
        task = make_task(olga, alert=alert, asset=robot)
        TaskShare.objects.create(task=task, user=helper, level="write")
        change(Task.objects.get(pk=task.pk), helper, state="in_progress")
        assert suppressed() == []
        change(task, olga, state="in_progress")
        later = {"changes": {"state": "in_progress"}, "expected": None, "now": NOW + HOUR}
        services.update_task(task=Task.objects.get(pk=task.pk), by=access_of(helper), **later)
        assert suppressed() == [(robot.pk, f"task:{task.pk}", NOW + DAY)]
        change(Task.objects.get(pk=task.pk), helper, state="done")
        assert suppressed() == []

    def test_that_who_has_left_the_site_brings_back_hides_nothing(self, task, olga, robot):
        change(task, olga, state="in_progress")
        services.delete_task(task=task, by=access_of(olga), expected=None, now=NOW)
        Membership.objects.filter(user=olga).delete()
        services.restore_task(task=Task.objects.get(pk=task.pk), by=access_of(olga), now=NOW)
        assert suppressed() == []

    def test_that_a_plan_brought_hides_as_well(self, erik, olga, robot):
        make_plan(erik, robot, schedule=WEEKLY)
        [task] = look(MONDAY)
        change(task, olga, state="in_progress")
        assert suppressed() == [(robot.pk, f"task:{task.pk}", NOW + DAY)]

    def test_that_is_about_no_alert_hides_nothing(self, olga, robot, make_task):
        change(make_task(olga, asset=robot), olga, state="in_progress")
        assert suppressed() == []

    def test_follows_its_asset_and_its_alert(self, task, olga, station):
        change(task, olga, state="in_progress")
        change(task, olga, asset=station)
        assert suppressed() == [(station.pk, f"task:{task.pk}", NOW + DAY)]
        change(task, olga, alert=None)
        assert suppressed() == []

    def test_that_somebody_else_has_ended_meanwhile_hides_nothing(self, task, olga):
        """Both read it before: the second must not trust what it read."""
        same = type(task).objects.get(pk=task.pk)
        change(task, olga, state="in_progress")
        change(same, olga, state="done")
        assert suppressed() == []

    def test_that_is_deleted_hides_nothing(self, task, olga):
        change(task, olga, state="in_progress")
        services.delete_task(task=task, by=access_of(olga), expected=None, now=NOW)
        assert suppressed() == []

    def test_of_an_asset_that_goes_hides_nothing(self, task, olga, adam, robot):
        change(task, olga, state="in_progress")
        assets.delete_asset(asset=robot, by=access_of(adam), confirm=robot.name, expected=None)
        assert suppressed() == []

    def test_covers_alerts_and_uncovers_them(self, task, olga, robot):
        other = factories.make_alert(robot, rule=factories.make_rule())
        change(task, olga, state="in_progress")
        hiding.reconcile(now=NOW)
        assert Alert.objects.get(pk=other.pk).suppressed_by == f"task:{task.pk}"
        change(task, olga, state="done")
        hiding.reconcile(now=NOW)
        assert Alert.objects.get(pk=other.pk).suppressed_by == ""
