"""However many planners, provers and people are at it at once, each task is opened once."""

from __future__ import annotations

import pytest

from techtrack.accounts.queries import access_of
from techtrack.assets import services as assets
from techtrack.core.clock import to_micros
from techtrack.tasks import services
from techtrack.tasks.models import AssetMeter, Course, Plan, Proof, Run, State, Task, TaskEdit
from techtrack.tasks.queries import counting, planning, proofs
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.racing import losers, race
from tests.integration.tasks.upkeep import (
    DAY,
    HOUR,
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

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8
HOURS = {"kind": "hours", "parameter": "speed", "above": 100.0}


def planner(now):
    """One planner's step, as the loop makes it."""

    def step():
        return [services.look_at_course(row, now=now) for row in planning.courses_due(now, 50)]

    return step


def opened(results):
    return [task for found in results for task in found if task is not None]


class TestPlanners:
    def test_open_one_task_however_many_look_at_once(self, erik, robot):
        for number in range(ROUNDS):
            make_plan(erik, robot, name=f"Plan {number}", schedule=WEEKLY)
        found = race(*[planner(MONDAY)] * 4)
        assert len(opened(found)) == ROUNDS
        assert Task.objects.count() == ROUNDS
        assert set(Course.objects.values_list("made", flat=True)) == {1}
        assert not Course.objects.filter(task=None).exists()

    def test_open_the_next_one_once_when_the_last_is_finished_meanwhile(self, erik, olga, robot):
        make_plan(erik, robot, schedule=WEEKLY)
        [task] = look(MONDAY)
        at = MONDAY + 7 * DAY
        race(lambda: finish(task, olga, now=at), planner(at), planner(at))
        look(at)
        assert Task.objects.filter(state=State.OPEN).count() + Task.objects.filter(state=State.DONE).count() <= 2
        assert Task.objects.filter(state=State.OPEN).count() <= 1

    def test_and_a_person_who_opens_it_ahead_open_one(self, erik, olga, robot):
        plan = make_plan(erik, robot, schedule=WEEKLY)
        by = access_of(olga)
        race(planner(MONDAY), lambda: services.open_ahead(plan=plan, asset=robot, by=by, now=MONDAY))
        look(MONDAY)
        assert Task.objects.count() == 1

    def test_and_somebody_who_pauses_the_plan_agree(self, erik, robot):
        for _ in range(ROUNDS):
            plan = make_plan(erik, robot, schedule=WEEKLY)
            off = {"plan": Plan.objects.get(pk=plan.pk), "changes": {"enabled": False}, "expected": None}
            race(planner(MONDAY), lambda off=off: services.update_plan(by=access_of(erik), now=MONDAY, **off))
            course = Course.objects.get(plan=plan)
            # Either it came first, and the course knows it; or it never came.
            assert course.made == Task.objects.filter(planned__plan=plan).count()

    def test_at_once_begin_a_plan_once_at_each_asset(self, plant, robot):
        chief = factories.make_user("chief", role="engineer")
        plan = make_plan(chief, asset_type=robot.type, schedule=WEEKLY)
        for _ in range(5):
            factories.make_equipment(site=plant, type=robot.type)
        race(*[lambda: services.spread_plans(now=NOW)] * 4)
        assert Course.objects.filter(plan=plan).count() == 6

    def test_and_somebody_who_deletes_the_asset_wait_for_each_other(self, erik, adam, plant):
        for _ in range(ROUNDS):
            asset = factories.make_equipment(site=plant)
            plan = make_plan(erik, asset, schedule=WEEKLY)
            Course.objects.filter(plan=plan).update(look_at=MONDAY)
            by = access_of(adam)

            def delete(asset=asset, by=by):
                return assets.delete_asset(asset=asset, by=by, confirm=asset.name, expected=None)

            found = race(planner(MONDAY), delete, planner(MONDAY))
            assert losers(found) == []
            # Nothing is left of it but what was deleted with it.
            assert not Course.objects.filter(asset=asset.pk).exists()
            assert not Task.objects.filter(asset__isnull=False).exists()


class TestCounters:
    def test_count_each_reading_once(self, erik, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 1000}])
        send(robot, NOW, NOW + 10 * HOUR, speed=1500.0)

        def step():
            return [services.count_meter(row, now=NOW + DAY) for row in counting.meters_due(NOW + DAY, 50)]

        race(*[step] * 4)
        assert AssetMeter.objects.get().total == pytest.approx(10 - 1 / 60)

    def test_note_each_run_once(self, robot):
        robot.type.running = {"parameter": "speed", "above": 100}
        robot.type.save()
        send(robot, NOW - 10 * HOUR, NOW - 5 * HOUR, speed=1500.0)
        send(robot, NOW - 5 * HOUR, NOW, speed=0.0)
        services.reconcile_counting(now=NOW)

        def step():
            return [services.follow_runs(log, now=NOW) for log in counting.run_logs_due(NOW, 50)]

        for _ in range(3):
            race(*[step] * 3)
        assert list(Run.objects.values_list("start", "end")) == [
            (to_micros(NOW - 10 * HOUR), to_micros(NOW - 5 * HOUR))
        ]


class TestProvers:
    @pytest.fixture
    def proof(self, robot, olga, plant):
        """A task that is done, whose alert came again while the robot ran."""
        rule = factories.make_rule(site=plant)
        alert = raise_alert(robot, rule, at=NOW - DAY)
        returned(alert, at=NOW - HOUR)
        task = services.create_task(
            by=access_of(olga), data={"title": "Mend it", "alert": alert, "asset": robot}, now=NOW - DAY
        )
        finish(task, olga, now=NOW)
        send(robot, NOW, NOW + HOUR, temperature=91.5)
        raised(alert, at=NOW + HOUR / 2)
        return Proof.objects.get()

    def test_open_the_task_again_once(self, proof):
        def step():
            for row in proofs.due(NOW + HOUR, 50):
                services.follow_proof(row, now=NOW + HOUR)

        race(*[step] * 4)
        task = Task.objects.get()
        assert (task.state, Proof.objects.get().phase) == ("open", "refuted")
        reopened = TaskEdit.objects.filter(task=task, after__state="open", before__state="done")
        assert reopened.count() == 1

    def test_and_the_rule_that_raises_the_alert_leave_one_unfinished_task(self, proof):
        alert = proof.task.alert

        def step():
            for row in proofs.due(NOW + HOUR, 50):
                services.follow_proof(row, now=NOW + HOUR)

        race(step, lambda: services.open_for_alert(alert_id=alert.pk, wish={}, now=NOW + HOUR))
        assert Task.objects.filter(state=State.OPEN).count() == 1

    def test_and_a_person_who_opens_it_again_agree(self, proof, olga):
        def step():
            for row in proofs.due(NOW + HOUR, 50):
                services.follow_proof(row, now=NOW + HOUR)

        race(step, lambda: finish(proof.task, olga, now=NOW + HOUR, state="in_progress"))
        task = Task.objects.get()
        assert task.state in {"open", "in_progress"}
        assert Proof.objects.get().phase in {"refuted", ""}


class TestByHand:
    def test_two_who_press_the_button_make_one_task(self, olga, robot, plant):
        for _ in range(ROUNDS):
            alert = factories.make_alert(robot)
            by = access_of(olga)

            def press(alert=alert, by=by):
                return services.open_by_hand(alert=alert, by=by, data={}, now=NOW)

            found = race(press, press)
            assert [error.code for error in losers(found)] == ["task_exists"]
            assert Task.objects.filter(alert=alert).count() == 1

    def test_two_who_say_that_an_asset_is_down_make_one_downtime(self, olga, robot):
        by = access_of(olga)
        found = race(*[lambda: services.create_downtime(by=by, data={"asset": robot}, now=NOW)] * 2)
        assert [error.code for error in losers(found)] == ["down_already"]

    def test_two_who_end_a_downtime_end_it_once(self, olga, robot):
        row = factories.make_downtime(robot, ends_at=None)
        by = access_of(olga)

        def end():
            found = type(row).objects.select_related("asset").get(pk=row.pk)
            return services.end_downtime(downtime=found, by=by, expected=None, now=NOW)

        found = race(end, end)
        row.refresh_from_db()
        assert (len(losers(found)), row.version) == (1, 2)


def test_counting_goes_on_while_readings_come(erik, robot):
    """The meter that was counted in many steps shows the same as one that was counted in one."""
    make_plan(erik, robot, meters=[{"meter": HOURS, "every": 1000}])
    for hour in range(5):
        at = NOW + hour * HOUR
        send(robot, at, at + HOUR, speed=1500.0)
        count(at + HOUR + HOUR / 30)
    assert AssetMeter.objects.get().total == pytest.approx(5 - 1 / 60)
