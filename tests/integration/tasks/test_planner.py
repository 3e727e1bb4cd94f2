"""Plans bring tasks: by the calendar, by meters, by alerts, whichever comes first, and one at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from techtrack.accounts.queries import access_of
from techtrack.assets import services as assets
from techtrack.assets.models import Asset
from techtrack.tasks import services
from techtrack.tasks.domain.plans import BadPlan
from techtrack.tasks.models import AssetMeter, Course, Plan, PlannedTask, Proof, Task
from techtrack.tasks.queries.upcoming import upcoming
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.upkeep import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    WEEKLY,
    count,
    finish,
    look,
    make_plan,
    raise_alert,
    raised,
    returned,
    send,
)

pytestmark = pytest.mark.django_db
HOURS = {"kind": "hours", "parameter": "speed", "above": 100.0}


def course(plan: Plan) -> Course:
    return Course.objects.get(plan=plan)


class TestCalendar:
    def test_opens_a_task_on_its_date_and_not_before(self, erik, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        assert look(NOW) == []
        assert look(MONDAY - MINUTE) == []
        [task] = look(MONDAY)
        assert (task.title, task.due_date, task.asset, task.automatic, task.created_by) == (
            "Grease it",
            MONDAY,
            robot,
            True,
            None,
        )
        told = PlannedTask.objects.get(task=task)
        assert (told.plan, told.asset_id, told.kind, told.reason, told.due) == (
            plan,
            robot.pk,
            "calendar",
            "scheduled",
            MONDAY,
        )

    def test_opens_it_before_it_is_due_where_the_plan_says_so(self, erik, robot):
        make_plan(erik, robot, schedule=WEEKLY, lead_time="P1D")
        assert look(MONDAY - DAY - MINUTE) == []
        [task] = look(MONDAY - DAY)
        assert task.due_date == MONDAY

    def test_says_what_the_plan_says(self, erik, olga, robot):
        make_plan(
            erik,
            robot,
            schedule=WEEKLY,
            title="Grease the bearings",
            description="With the grease that the plate names.",
            priority=3,
            estimated_seconds=1800,
            owners=[olga.pk],
            checklist=[{"type": "tick", "title": "Wiped off"}],
        )
        [task] = look(MONDAY)
        task = Task.objects.whole().get(pk=task.pk)
        assert (task.title, task.priority, task.estimated_seconds, task.owners) == (
            "Grease the bearings",
            3,
            1800,
            [olga.pk],
        )
        assert [step["title"] for step in task.checklist] == ["Wiped off"]

    def test_opens_none_while_one_is_unfinished(self, erik, olga, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        [task] = look(MONDAY)
        assert look(MONDAY + 14 * DAY) == []
        finish(task, olga, now=MONDAY + 15 * DAY)
        assert look(MONDAY + 15 * DAY) == []
        assert course(plan).due == MONDAY + 21 * DAY
        [second] = look(MONDAY + 21 * DAY)
        assert second.due_date == MONDAY + 21 * DAY

    @pytest.mark.parametrize("state", ["done", "cancelled"])
    def test_goes_on_once_it_is_done_or_called_off(self, erik, olga, robot, state):
        make_plan(erik, robot, schedule=WEEKLY)
        [task] = look(MONDAY)
        finish(task, olga, now=MONDAY + HOUR, state=state)
        assert len(look(MONDAY + 7 * DAY)) == 1

    def test_goes_on_once_it_is_deleted(self, erik, olga, robot):
        make_plan(erik, robot, schedule=WEEKLY)
        [task] = look(MONDAY)
        whole = Task.objects.whole().get(pk=task.pk)
        services.delete_task(task=whole, by=access_of(olga), expected=None, now=MONDAY + HOUR)
        assert len(look(MONDAY + 7 * DAY)) == 1

    def test_counted_from_completions_it_comes_so_long_after(self, erik, olga, robot):
        monthly = {"rrule": "FREQ=MONTHLY", "dtstart": "2026-01-05T06:00", "anchor": "completed"}
        plan = make_plan(erik, robot, schedule=monthly)
        look(NOW)
        assert course(plan).due == datetime.fromisoformat("2026-12-21T06:00:00+00:00")
        [task] = look(NOW + 30 * DAY)
        finish(task, olga, now=NOW + 40 * DAY)
        look(NOW + 40 * DAY)
        assert course(plan).due == datetime.fromisoformat("2027-01-31T06:00:00+00:00")

    def test_counted_from_what_somebody_knows_was_done_it_may_be_overdue(self, erik, robot):
        monthly = {"rrule": "FREQ=MONTHLY", "dtstart": "2026-01-05T06:00", "anchor": "completed"}
        make_plan(erik, robot, schedule=monthly, last_done=NOW - 60 * DAY)
        [task] = look(NOW)
        assert task.due_date < NOW

    def test_does_not_make_up_for_a_pause(self, erik, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        look(NOW)
        change(plan, erik, now=NOW, enabled=False)
        assert look(MONDAY + 3 * DAY) == []
        change(plan, erik, now=MONDAY + 3 * DAY, enabled=True)
        assert look(MONDAY + 3 * DAY) == []
        assert course(plan).due == MONDAY + 7 * DAY

    def test_of_another_schedule_brings_nothing_that_it_would_have_brought(self, erik, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        look(NOW)
        daily = {"timezone": "UTC", "schedule": {"rrule": "FREQ=DAILY", "dtstart": "2026-01-01T06:00"}}
        change(plan, erik, now=NOW, triggers=daily)
        assert look(NOW) == []
        assert course(plan).due == NOW.replace(hour=6) + DAY

    def test_whose_date_has_had_its_task_brings_no_second_one_when_the_plan_changes(self, erik, olga, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY, lead_time="P3D")
        [task] = look(NOW)
        finish(task, olga, now=NOW + HOUR)
        longer = {"timezone": "UTC", "schedule": WEEKLY, "lead_time": "P4D"}
        change(plan, erik, now=NOW + HOUR, triggers=longer)
        change(plan, erik, now=NOW + HOUR, enabled=False)
        change(plan, erik, now=NOW + HOUR, enabled=True)
        assert look(NOW + 2 * HOUR) == []
        assert course(plan).due == MONDAY + 7 * DAY

    def test_counted_from_completions_from_now_on_is_not_overdue_since_its_start(self, erik, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        floating = {"rrule": "FREQ=MONTHLY", "dtstart": "2026-01-05T06:00", "anchor": "completed"}
        change(plan, erik, now=NOW, triggers={"timezone": "UTC", "schedule": floating})
        assert look(NOW) == []
        assert course(plan).due == datetime.fromisoformat("2026-12-21T06:00:00+00:00")


class TestLastDone:
    MONTHLY = {"rrule": "FREQ=MONTHLY", "dtstart": "2026-01-05T06:00", "anchor": "completed"}

    @pytest.mark.parametrize(
        ("days", "later"),
        [
            pytest.param(None, 20, id="said later"),
            pytest.param(5, 20, id="corrected backwards"),
            pytest.param(20, 5, id="corrected forwards"),
        ],
    )
    def test_counts_as_it_was_said_last(self, erik, robot, days, later):
        first = None if days is None else NOW - days * DAY
        plan = make_plan(erik, robot, schedule=self.MONTHLY, last_done=first)
        look(NOW)
        change(plan, erik, now=NOW, last_done=NOW - later * DAY)
        assert look(NOW) == []
        expected = {20: "2026-12-01T06:00:00+00:00", 5: "2026-12-16T06:00:00+00:00"}[later]
        assert course(plan).due == datetime.fromisoformat(expected)

    def test_does_not_undo_what_was_seen(self, erik, olga, robot):
        plan = make_plan(erik, robot, schedule=self.MONTHLY, last_done=NOW - 40 * DAY)
        [task] = look(NOW)
        finish(task, olga, now=NOW + DAY)
        look(NOW + DAY)
        change(plan, erik, now=NOW + 2 * DAY, last_done=NOW - 35 * DAY)
        assert look(NOW + 2 * DAY) == []
        assert course(plan).closed == NOW + DAY

    def test_is_not_said_of_an_asset_that_comes_later(self, robot):
        chief = factories.make_user("chief", role="engineer")
        plan = make_plan(chief, asset_type=robot.type, schedule=self.MONTHLY, last_done=NOW - 40 * DAY)
        late = factories.make_equipment(type=robot.type)
        services.spread_plans(now=NOW + DAY)
        assert [task.asset_id for task in look(NOW + DAY)] == [robot.pk]
        assert Course.objects.get(plan=plan, asset=late.pk).closed == NOW + DAY

    METERS: ClassVar = [{"meter": HOURS, "every": 10}]

    def test_is_not_longer_ago_than_meters_are_counted_again(self, erik, robot):
        with pytest.raises(BadPlan, match="366 days") as refused:
            make_plan(erik, robot, meters=self.METERS, last_done=NOW - 367 * DAY)
        assert refused.value.faults[0].pointer == "/last_done"
        assert make_plan(erik, robot, schedule=self.MONTHLY, last_done=NOW - 367 * DAY)

    def test_stays_as_it_was_said_however_long_ago_that_is_by_now(self, erik, robot):
        plan = make_plan(erik, robot, meters=self.METERS, last_done=NOW - 300 * DAY)
        later = NOW + 100 * DAY
        change(plan, erik, now=later, name="Oil it", last_done=plan.last_done)
        with pytest.raises(BadPlan):
            change(plan, erik, now=later, last_done=NOW - 301 * DAY)


def change(plan, by, *, now, **changes):
    found = Plan.objects.get(pk=plan.pk)
    return services.update_plan(plan=found, by=access_of(by), changes=changes, expected=None, now=now)


class TestMeters:
    def test_open_a_task_once_so_much_is_counted(self, erik, olga, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + 9 * HOUR, speed=1500.0)
        count(NOW + 9 * HOUR)
        assert look(NOW + 9 * HOUR) == []
        send(robot, NOW + 9 * HOUR, NOW + 11 * HOUR, speed=1500.0)
        count(NOW + 12 * HOUR)
        [task] = look(NOW + 12 * HOUR)
        told = PlannedTask.objects.get(task=task)
        assert (told.kind, told.reason) == ("meter", "reached")
        assert told.detail.endswith("of 10 counted.")
        # The next ten are counted from when it is done.
        finish(task, olga, now=NOW + 13 * HOUR)
        send(robot, NOW + 13 * HOUR, NOW + 22 * HOUR, speed=1500.0)
        count(NOW + 22 * HOUR)
        assert look(NOW + 22 * HOUR) == []
        send(robot, NOW + 22 * HOUR, NOW + 24 * HOUR, speed=1500.0)
        count(NOW + 25 * HOUR)
        assert len(look(NOW + 25 * HOUR)) == 1

    def test_do_not_count_what_an_asset_did_at_rest(self, erik, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + 20 * HOUR, speed=20.0)
        count(NOW + 20 * HOUR)
        assert look(NOW + 20 * HOUR) == []

    def test_count_from_when_the_work_was_done_last(self, erik, robot):
        send(robot, NOW - 20 * HOUR, NOW, speed=1500.0)
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}], last_done=NOW - 12 * HOUR)
        count(NOW + HOUR)
        [task] = look(NOW + HOUR)
        assert PlannedTask.objects.get(task=task).detail == "12 of 10 counted."

    def test_count_nothing_from_before_the_plan(self, erik, robot):
        send(robot, NOW - 20 * HOUR, NOW, speed=1500.0)
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        count(NOW + HOUR)
        assert look(NOW + HOUR) == []

    def test_say_when_it_will_be_at_this_pace(self, erik, robot):
        # Eight hours a day, for four weeks.
        for day in range(28, 0, -1):
            start = NOW - day * DAY
            send(robot, start, start + 8 * HOUR, every=10 * MINUTE, speed=1500.0)
            send(robot, start + 8 * HOUR, start + 24 * HOUR, every=10 * MINUTE, speed=0.0)
        plan = make_plan(erik, robot, meters=[{"meter": HOURS, "every": 80}])
        count(NOW)
        look(NOW)
        found = course(plan)
        assert (found.kind, found.reason) == ("meter", "projected")
        assert abs(found.due - (NOW + 10 * DAY)) < 6 * HOUR
        assert "8 a day" in found.detail

    def test_that_leave_the_plan_and_come_back_count_on_from_when_the_work_was_done(self, erik, robot):
        counter = {"kind": "counter", "parameter": "hour_meter"}
        send(robot, NOW - 2 * HOUR, NOW - HOUR, hour_meter=0.0)
        send(robot, NOW - HOUR, NOW, hour_meter=9000.0)
        plan = make_plan(erik, robot, meters=[{"meter": counter, "every": 100}])
        count(NOW + HOUR)
        look(NOW + HOUR)
        change(
            plan,
            erik,
            now=NOW + HOUR,
            triggers={"timezone": "UTC", "schedule": WEEKLY | {"dtstart": "2027-06-07T06:00"}},
        )
        count(NOW + HOUR)
        assert not AssetMeter.objects.exists()
        later = NOW + 60 * DAY
        send(robot, later - 10 * HOUR, later - 9 * HOUR, hour_meter=9000.0)
        send(robot, later - 9 * HOUR, later, hour_meter=9150.0)
        change(plan, erik, now=later, triggers={"timezone": "UTC", "meters": [{"meter": counter, "every": 100}]})
        count(later + HOUR)
        [task] = look(later + HOUR)
        assert PlannedTask.objects.get(task=task).detail == "150 of 100 counted."

    def test_that_nobody_can_count_say_so(self, erik, robot):
        plan = make_plan(erik, robot, meters=[{"meter": HOURS, "every": 80}])
        count(NOW)
        look(NOW)
        assert (course(plan).due, course(plan).outlooks[0]["reason"]) == (None, "no_readings")

    def test_that_a_plan_asks_for_later_are_counted_at_once(self, erik, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        asks = {"timezone": "UTC", "meters": [{"meter": HOURS, "every": 10}]}
        change(plan, erik, now=NOW, triggers=asks)
        assert AssetMeter.objects.filter(asset=robot.pk).count() == 1

    def test_are_shared_by_plans(self, erik, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        make_plan(erik, robot, name="Inspect it", meters=[{"meter": HOURS | {"above": 100}, "every": 5}])
        send(robot, NOW, NOW + 7 * HOUR, speed=1500.0)
        count(NOW + 8 * HOUR)
        assert [task.title for task in look(NOW + 8 * HOUR)] == ["Inspect it"]


class TestWhatComesBack:
    """A task that was deleted or finished in error, and is open again, is the plan's one unfinished task."""

    @pytest.fixture
    def plan(self, erik, robot):
        return make_plan(erik, robot, schedule=WEEKLY)

    @pytest.fixture(params=["deleted", "done"])
    def task(self, request, olga, plan):
        """One that the planner has seen to be over, and that is open again since."""
        [task] = look(MONDAY)
        if request.param == "done":
            finish(task, olga, now=MONDAY + HOUR)
            look(MONDAY + 2 * HOUR)
            return finish(task, olga, now=MONDAY + 3 * HOUR, state="open")
        whole = Task.objects.whole().get(pk=task.pk)
        services.delete_task(task=whole, by=access_of(olga), expected=None, now=MONDAY + HOUR)
        look(MONDAY + 2 * HOUR)
        gone = Task.objects.whole().get(pk=task.pk)
        return services.restore_task(task=gone, by=access_of(olga), now=MONDAY + 3 * HOUR)

    def test_keeps_the_plan_from_a_second_one(self, plan, task):
        assert look(MONDAY + 7 * DAY) == []
        assert course(plan).task_id == task.pk

    def test_closes_the_course_once_it_is_done(self, plan, task, olga):
        look(MONDAY + DAY)
        finish(task, olga, now=MONDAY + 2 * DAY)
        assert look(MONDAY + 3 * DAY) == []
        assert (course(plan).task_id, course(plan).closed) == (None, MONDAY + 2 * DAY)
        assert len(look(MONDAY + 7 * DAY)) == 1

    def test_is_what_somebody_is_to_finish_who_asks_for_the_next_one(self, plan, task, olga, robot):
        with pytest.raises(services.TaskWaits):
            services.open_ahead(plan=plan, asset=robot, by=access_of(olga), now=MONDAY + 4 * HOUR)

    def test_is_nothing_to_another_plan(self, erik, robot, task):
        make_plan(erik, robot, name="Inspect it", schedule=WEEKLY)
        assert [task.title for task in look(MONDAY + 7 * DAY)] == ["Inspect it"]


class TestWhicheverComesFirst:
    @pytest.mark.parametrize(
        ("hours", "kind"),
        [pytest.param(20, "meter", id="it was used a lot"), pytest.param(1, "calendar", id="it was hardly used")],
    )
    def test_brings_one_task(self, erik, olga, robot, hours, kind):
        make_plan(erik, robot, schedule=WEEKLY, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + hours * HOUR, speed=1500.0)
        count(NOW + 24 * HOUR)
        opened = look(NOW + 24 * HOUR) + look(MONDAY)
        assert [PlannedTask.objects.get(task=task).kind for task in opened] == [kind]
        # Done by the other's date it was done for both.
        finish(opened[0], olga, now=MONDAY)
        count(MONDAY + HOUR)
        assert look(MONDAY + HOUR) == []


class TestConditions:
    @pytest.fixture
    def rule(self, plant):
        return factories.make_rule(site=plant)

    def test_open_a_task_about_the_alert(self, erik, robot, rule):
        make_plan(erik, robot, conditions=[{"rule": rule.pk}], lead_time="P2D")
        assert look(NOW + HOUR) == []
        alert = raise_alert(robot, rule, at=NOW + 2 * HOUR)
        [task] = look(NOW + 3 * HOUR)
        assert (task.alert, task.due_date) == (alert, NOW + 2 * HOUR + 2 * DAY)
        assert PlannedTask.objects.get(task=task).kind == "condition"

    def test_do_not_ask_for_what_was_raised_before(self, erik, robot, rule):
        raise_alert(robot, rule, at=NOW - HOUR)
        make_plan(erik, robot, conditions=[{"rule": rule.pk}])
        assert look(NOW + HOUR) == []

    @pytest.mark.parametrize(
        "hidden",
        [
            pytest.param({"suppressed_by": "silence:3"}, id="something explains it"),
            pytest.param({"shelved_until": NOW + 9 * HOUR}, id="somebody put it aside"),
            pytest.param({"out_of_service_until": NOW + 9 * HOUR}, id="its rule is out of service here"),
            pytest.param({"late": True}, id="it was over long ago"),
        ],
    )
    def test_do_not_ask_for_what_is_hidden(self, erik, robot, rule, hidden):
        make_plan(erik, robot, conditions=[{"rule": rule.pk}])
        raise_alert(robot, rule, at=NOW + HOUR, **hidden)
        assert look(NOW + 2 * HOUR) == []

    def test_do_not_ask_for_what_another_asset_or_rule_says(self, erik, robot, plant, rule):
        make_plan(erik, robot, conditions=[{"rule": rule.pk}])
        raise_alert(factories.make_equipment(site=plant), rule, at=NOW + HOUR)
        raise_alert(robot, factories.make_rule(site=plant), at=NOW + HOUR)
        assert look(NOW + 2 * HOUR) == []

    def test_ask_again_where_the_same_alert_comes_again(self, erik, olga, robot, rule):
        make_plan(erik, robot, conditions=[{"rule": rule.pk}])
        alert = raise_alert(robot, rule, at=NOW + HOUR)
        [task] = look(NOW + 2 * HOUR)
        returned(alert, at=NOW + 3 * HOUR)
        finish(task, olga, now=NOW + 4 * HOUR)
        Proof.objects.update(phase="waived")
        assert look(NOW + 5 * HOUR) == []
        raised(alert, at=NOW + 6 * HOUR)
        assert len(look(NOW + 7 * HOUR)) == 1

    def test_go_on_where_the_work_is_deleted_that_is_being_proved(self, erik, olga, robot, rule):
        plan = make_plan(erik, robot, conditions=[{"rule": rule.pk}], schedule=WEEKLY)
        raise_alert(robot, rule, at=NOW + HOUR)
        [task] = look(NOW + 2 * HOUR)
        done = finish(task, olga, now=NOW + 3 * HOUR)
        services.delete_task(task=done, by=access_of(olga), expected=None, now=NOW + 4 * HOUR)
        look(NOW + 5 * HOUR)
        assert (course(plan).task_id, course(plan).closed) == (None, NOW + 3 * HOUR)

    def test_open_a_task_of_their_own_where_somebody_works_on_the_alert(self, erik, olga, robot, rule):
        make_plan(erik, robot, conditions=[{"rule": rule.pk}])
        alert = raise_alert(robot, rule, at=NOW + HOUR)
        services.open_by_hand(alert=alert, by=access_of(olga), data={}, now=NOW + HOUR)
        [task] = look(NOW + 2 * HOUR)
        assert task.alert is None

    def test_open_a_task_of_their_own_where_the_rule_has_opened_one_for_the_alert(self, erik, robot, rule):
        make_plan(erik, robot, conditions=[{"rule": rule.pk}])
        alert = raise_alert(robot, rule, at=NOW + HOUR)
        services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW + HOUR)
        [task] = look(NOW + 2 * HOUR)
        assert task.alert is None

    def test_wait_while_telemetry_is_asked_whether_the_work_has_helped(self, erik, olga, robot, rule):
        plan = make_plan(erik, robot, conditions=[{"rule": rule.pk}], schedule=WEEKLY)
        raise_alert(robot, rule, at=NOW + HOUR)
        [task] = look(NOW + 2 * HOUR)
        finish(task, olga, now=NOW + 3 * HOUR)
        look(NOW + 4 * HOUR)
        assert course(plan).task_id == task.pk
        Proof.objects.update(phase="verified")
        look(NOW + 5 * HOUR)
        assert (course(plan).task_id, course(plan).closed) == (None, NOW + 3 * HOUR)


class TestTypes:
    @pytest.fixture
    def chief(self, db):
        return factories.make_user("chief", role="engineer")

    def for_robots(self, chief, robot, **data):
        return make_plan(chief, asset_type=robot.type, schedule=WEEKLY, **data)

    def test_have_a_course_at_each_asset(self, chief, robot, other_site):
        factories.make_equipment(site=other_site, type=robot.type)
        factories.make_equipment(site=other_site, type=factories.make_type("press"))
        plan = self.for_robots(chief, robot)
        assert Course.objects.filter(plan=plan).count() == 2
        assert len(look(MONDAY)) == 2

    def test_at_a_site_have_none_elsewhere(self, erik, robot, plant, other_site):
        factories.make_equipment(site=other_site, type=robot.type)
        plan = make_plan(erik, asset_type=robot.type, site=plant, schedule=WEEKLY)
        assert course(plan).asset_id == robot.pk

    def test_begin_at_an_asset_that_comes(self, chief, adam, robot):
        plan = self.for_robots(chief, robot)
        late = factories.make_equipment(type=robot.type)
        services.spread_plans(now=MONDAY + 3 * DAY)
        assert Course.objects.get(plan=plan, asset=late.pk).begun_at == MONDAY + 3 * DAY
        # It has not missed what was due before it came.
        assert [task.asset_id for task in look(MONDAY + 3 * DAY)] == [robot.pk]

    def test_end_at_an_asset_that_is_of_another_type_now(self, chief, adam, robot):
        plan = self.for_robots(chief, robot)
        assets.update_asset(asset=robot, by=access_of(adam), changes={"type": "press"}, expected=None, now=NOW)
        services.spread_plans(now=NOW)
        assert not Course.objects.filter(plan=plan).exists()

    def test_go_on_where_nothing_has_changed(self, chief, robot):
        plan = self.for_robots(chief, robot)
        look(MONDAY)
        before = course(plan).pk
        services.spread_plans(now=MONDAY + DAY)
        assert course(plan).pk == before


class TestAssets:
    def test_that_are_retired_get_no_tasks(self, erik, robot):
        make_plan(erik, robot, schedule=WEEKLY)
        Asset.objects.filter(pk=robot.pk).update(status="retired")
        assert look(MONDAY) == []
        year = {"start": NOW, "end": NOW + 365 * DAY, "now": NOW, "asset_id": None, "site_id": None}
        assert upcoming(access=access_of(erik), **year) == []
        Asset.objects.filter(pk=robot.pk).update(status="active")
        assert len(look(MONDAY + 6 * HOUR)) == 1

    def test_that_go_take_their_plans_with_them(self, erik, adam, robot):
        make_plan(erik, robot, schedule=WEEKLY)
        look(MONDAY)
        with pytest.raises(assets.AssetHasData, match="1 plan"):
            assets.delete_asset(asset=robot, by=access_of(adam), confirm=None, expected=None)
        assets.delete_asset(asset=robot, by=access_of(adam), confirm=robot.name, expected=None)
        assert not Plan.objects.exists()
        assert not Course.objects.exists()


class TestHardships:
    def test_a_plan_that_cannot_be_read_any_more_says_so_and_keeps_no_other_from_its_work(self, erik, robot):
        broken = make_plan(erik, robot, schedule=WEEKLY)
        make_plan(erik, robot, name="Sound", schedule=WEEKLY)
        Plan.objects.filter(pk=broken.pk).update(triggers={"timezone": "Europe/Atlantis", "schedule": WEEKLY})
        assert [task.title for task in look(MONDAY)] == ["Sound"]
        assert course(broken).detail.startswith("The plan cannot be kept: /timezone: ")
        services.spread_plans(now=MONDAY)

    def test_looks_again_by_itself(self, erik, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        look(NOW)
        assert NOW < course(plan).look_at <= NOW + 6 * HOUR
        look(MONDAY - HOUR)
        assert course(plan).look_at == MONDAY

    def test_a_look_that_comes_too_late_opens_one_task_for_all(self, erik, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        [task] = look(MONDAY + 29 * DAY)
        assert task.due_date == MONDAY + 28 * DAY
        assert course(plan).due == MONDAY + 35 * DAY

    def test_grace_follows_from_how_often_it_comes(self, erik, robot):
        make_plan(erik, robot, schedule=WEEKLY, last_done=MONDAY - 7 * DAY)
        [task] = look(MONDAY)
        assert PlannedTask.objects.get(task=task).grace == timedelta(days=7) / 5
