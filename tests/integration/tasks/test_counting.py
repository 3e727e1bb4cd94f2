"""Meters count what telemetry says, and when assets ran is noted."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from techtrack.accounts.models import AuditEntry
from techtrack.accounts.queries import access_of
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Forbidden
from techtrack.tasks import services
from techtrack.tasks.models import AssetMeter, Course, Plan, Run, RunLog
from techtrack.tasks.queries import counting, planning
from techtrack.tasks.services import NoCounter, NotReadYet
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.services import Saying, mark_quality
from tests import factories
from tests.factories import NOW
from tests.integration.tasks.upkeep import DAY, HOUR, MINUTE, count, look, make_plan, send

pytestmark = pytest.mark.django_db
HOURS = {"kind": "hours", "parameter": "speed", "above": 100.0}
COUNTER = {"kind": "counter", "parameter": "hour_meter"}


def total():
    return AssetMeter.objects.get().total


class TestMeters:
    def test_are_counted_where_a_plan_asks_for_them(self, erik, robot):
        plan = make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + 3 * HOUR, speed=1500.0)
        count(NOW + 4 * HOUR)
        assert total() == pytest.approx(3 - 1 / 60)
        Plan.objects.get(pk=plan.pk).delete()
        services.reconcile_counting(now=NOW + 4 * HOUR)
        assert not AssetMeter.objects.exists()

    def test_of_a_plan_that_comes_while_others_are_looked_through_stay(self, erik, robot, monkeypatch):
        wanted = planning.meters_wanted

        def slow():
            found = wanted()
            monkeypatch.undo()
            make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
            return found

        monkeypatch.setattr(planning, "meters_wanted", slow)
        services.reconcile_counting(now=NOW)
        assert AssetMeter.objects.exists()

    @pytest.mark.parametrize("kind", ["counter", "dose"])
    def test_count_on_where_a_sensor_went_mad(self, erik, robot, kind):
        make_plan(erik, robot, meters=[{"meter": {"kind": kind, "parameter": "hour_meter"}, "every": 10}])
        for hour, value in enumerate([100.0, 101.0, -1.7e308, 1.7e308, 1.7e308, 102.0, 103.0]):
            send(robot, NOW + hour * HOUR, NOW + (hour + 1) * HOUR, every=HOUR, hour_meter=value)
        count(NOW + 8 * HOUR)
        expected = {"counter": 1.0 + 102 + 1, "dose": (100 + 101 + 102) / 6}[kind]
        assert total() == pytest.approx(expected)

    def test_stay_while_the_plan_is_paused(self, erik, robot):
        plan = make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        Plan.objects.filter(pk=plan.pk).update(enabled=False)
        services.reconcile_counting(now=NOW)
        assert AssetMeter.objects.exists()

    def test_do_not_count_what_is_marked_bad(self, erik, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + 3 * HOUR, speed=1500.0)
        said = Saying(None, (to_micros(NOW + HOUR), to_micros(NOW + 2 * HOUR)), Quality.BAD, "calibration")
        mark_quality(asset=robot, said=said, by=access_of(erik), now=NOW)
        count(NOW + 4 * HOUR)
        # What held before the gap holds for ten minutes more.
        assert total() == pytest.approx(2 - 2 / 60 + 10 / 60, abs=0.02)

    def test_hold_a_value_no_longer_than_the_asset_may_be_silent(self, erik, robot):
        robot.expected_interval = timedelta(minutes=1)
        robot.save()
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + 10 * MINUTE, speed=1500.0)
        send(robot, NOW + 5 * HOUR, NOW + 5 * HOUR + 10 * MINUTE, speed=1500.0)
        count(NOW + 6 * HOUR)
        assert total() == pytest.approx((9 + 3 + 9) / 60)

    def test_wait_a_moment_for_what_comes_in_another_order(self, erik, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + 10 * MINUTE, speed=1500.0)
        count(NOW + 9 * MINUTE)
        assert from_micros(AssetMeter.objects.get().time) < NOW + 9 * MINUTE

    def test_read_a_long_history_in_steps(self, erik, robot, monkeypatch):
        monkeypatch.setattr(counting, "MOST_READINGS", 100)
        send(robot, NOW - 10 * HOUR, NOW, speed=1500.0)
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        [row] = counting.meters_due(NOW + HOUR, 1)
        assert services.count_meter(row, now=NOW + HOUR)
        assert AssetMeter.objects.get().behind
        count(NOW + HOUR)
        assert (total(), AssetMeter.objects.get().behind) == (pytest.approx(10 - 1 / 60), False)


class TestReplacing:
    @pytest.fixture
    def meter(self, erik, robot):
        make_plan(erik, robot, meters=[{"meter": COUNTER, "every": 500}])
        send(robot, NOW, NOW + HOUR, hour_meter=4000.0)
        send(robot, NOW + HOUR, NOW + 2 * HOUR, hour_meter=4010.0)
        count(NOW + 3 * HOUR)
        return AssetMeter.objects.select_related("asset__type").get()

    def replace(self, meter, by, **told):
        told = {"shows": 2.0, "at": NOW + 3 * HOUR, "now": NOW + 3 * HOUR} | told
        return services.replace_counter(row=meter, by=access_of(by), **told)

    def test_goes_on_from_what_the_new_one_shows(self, meter, olga, robot):
        assert meter.total == 10
        self.replace(meter, olga)
        send(robot, NOW + 4 * HOUR, NOW + 5 * HOUR, hour_meter=7.0)
        count(NOW + 6 * HOUR)
        assert total() == 15

    def test_is_not_forgotten_where_readings_are_counted_again(self, meter, erik, olga, robot):
        self.replace(meter, olga, shows=9000.0)
        send(robot, NOW + 4 * HOUR, NOW + 5 * HOUR, hour_meter=9007.0)
        count(NOW + 6 * HOUR)
        row = AssetMeter.objects.select_related("asset__type").get()
        since = [counting.used_since(row, NOW + hours * HOUR) for hours in (-1, 2, 4)]
        assert since == [17.0, 7.0, 0.0]
        # Such as of a plan that is told later when its work was done last.
        plan = Plan.objects.get()
        last = {"last_done": NOW - HOUR}
        services.update_plan(plan=plan, by=access_of(erik), changes=last, expected=None, now=NOW + 6 * HOUR)
        assert look(NOW + 6 * HOUR) == []
        assert Course.objects.get().outlooks[0]["detail"].startswith("17 of 500 counted")

    def test_is_recorded(self, meter, olga, robot):
        self.replace(meter, olga)
        told = AuditEntry.objects.filter(object_type="asset-meter").get()
        assert (told.object_id, told.site_id, json.loads(told.after)["value"]) == (str(meter.pk), robot.site_id, 2.0)

    def test_needs_an_operator(self, meter, vera):
        with pytest.raises(Forbidden):
            self.replace(meter, vera)

    def test_is_for_what_counts_by_itself(self, erik, olga, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        with pytest.raises(NoCounter):
            self.replace(AssetMeter.objects.get(), olga)

    def test_waits_for_what_came_before(self, erik, olga, robot):
        make_plan(erik, robot, meters=[{"meter": COUNTER, "every": 500}])
        with pytest.raises(NotReadYet):
            self.replace(AssetMeter.objects.get(), olga)

    @pytest.mark.parametrize(
        "at",
        [pytest.param(NOW + HOUR, id="counted already"), pytest.param(NOW + 4 * HOUR, id="still to come")],
    )
    def test_takes_no_moment_that_makes_no_sense(self, meter, olga, at):
        with pytest.raises(Exception, match=r"counted already|future"):
            self.replace(meter, olga, at=at)


class TestRuns:
    @pytest.fixture
    def machine(self, robot):
        robot.type.running = {"parameter": "speed", "above": {"attribute": "idle", "default": 100}}
        robot.type.save()
        return robot

    def spans(self, asset):
        rows = Run.objects.filter(asset=asset.pk).order_by("start").values_list("start", "end")
        return [tuple((from_micros(edge) - NOW) / MINUTE for edge in row) for row in rows]

    def test_are_noted_as_they_come(self, machine):
        send(machine, NOW, NOW + 60 * MINUTE, speed=1500.0)
        send(machine, NOW + 60 * MINUTE, NOW + 90 * MINUTE, speed=0.0)
        count(NOW + 80 * MINUTE)
        assert self.spans(machine) == [(0, 60)]
        send(machine, NOW + 90 * MINUTE, NOW + 120 * MINUTE, speed=1500.0)
        count(NOW + 125 * MINUTE)
        assert self.spans(machine) == [(0, 60), (90, 119)]

    def test_go_on_over_many_looks(self, machine):
        for number in range(6):
            at = NOW + number * 10 * MINUTE
            send(machine, at, at + 10 * MINUTE, speed=1500.0)
            count(at + 12 * MINUTE)
        assert self.spans(machine) == [(0, 59)]

    def test_begin_with_the_first_reading_of_the_sign(self, machine):
        send(machine, NOW - 2 * HOUR, NOW - HOUR, torque=10.0)
        count(NOW - HOUR)
        assert RunLog.objects.get().begins is None
        send(machine, NOW, NOW + HOUR, speed=1500.0)
        count(NOW + 2 * HOUR)
        assert from_micros(RunLog.objects.get().begins) == NOW

    def test_follow_the_limit_that_the_asset_brings_along(self, machine):
        machine.attributes = {"idle": 2000}
        machine.save()
        send(machine, NOW, NOW + HOUR, speed=1500.0)
        count(NOW + 2 * HOUR)
        assert self.spans(machine) == []

    def test_are_found_again_by_another_sign(self, machine):
        send(machine, NOW, NOW + HOUR, speed=1500.0, torque=10.0)
        count(NOW + 2 * HOUR)
        assert self.spans(machine) == [(0, 59)]
        machine.type.running = {"parameter": "torque", "above": 50}
        machine.type.save()
        count(NOW + 3 * HOUR)
        assert self.spans(machine) == []

    def test_end_where_there_is_no_sign_any_more(self, machine):
        send(machine, NOW, NOW + HOUR, speed=1500.0)
        count(NOW + 2 * HOUR)
        machine.type.running = None
        machine.type.save()
        count(NOW + 3 * HOUR)
        assert (self.spans(machine), RunLog.objects.get().key) == ([], "")

    def test_are_not_looked_for_where_nobody_says_by_what(self, robot):
        send(robot, NOW, NOW + HOUR, speed=1500.0)
        count(NOW + 2 * HOUR)
        assert not RunLog.objects.exists()

    def test_of_a_sign_that_cannot_be_read_are_none(self, machine):
        machine.type.running = {"below": 3}
        machine.type.save()
        count(NOW + HOUR)
        assert self.spans(machine) == []


class TestApi:
    def test_shows_meters_to_those_who_see_the_asset(self, api, erik, vera, mallory, robot):
        make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
        send(robot, NOW, NOW + 3 * HOUR, speed=1500.0)
        count(NOW + 4 * HOUR)
        [told] = api(vera).get("/api/meters/", {"equipment": robot.pk}).json()["results"]
        assert (told["kind"], told["parameter"], told["above"], round(told["total"], 2)) == (
            "hours",
            "speed",
            100.0,
            2.98,
        )
        assert told["reason"] in {"too_little_history", "projected"}
        assert api(mallory).get("/api/meters/").json()["results"] == []

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({}, "/shows", id="nothing"),
            pytest.param({"shows": -1}, "/shows", id="less than nothing"),
            pytest.param({"shows": "5"}, "/shows", id="a text"),
            pytest.param({"shows": 5, "at": "yesterday"}, "/at", id="no time"),
            pytest.param({"shows": 5, "at": "2026-11-20T00:00:00Z"}, "/at", id="counted already"),
        ],
    )
    def test_refuses_a_replacement_that_makes_no_sense(self, api, olga, robot, body, pointer):
        meter = factories.make_meter(robot)
        answer = api(olga).post(f"/api/meters/{meter.pk}/replace/", body, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)

    def test_takes_one(self, api, olga, robot):
        meter = factories.make_meter(robot)
        answer = api(olga).post(f"/api/meters/{meter.pk}/replace/", {"shows": 5}, format="json")
        assert answer.status_code == 200, answer.json()
        meter.refresh_from_db()
        assert (meter.value, meter.total) == (5.0, 1000.0)

    def test_keeps_what_it_cannot_know_for_sure_apart(self, api, vera, robot):
        factories.make_meter(robot, time=None, behind=True)
        [told] = api(vera).get("/api/meters/").json()["results"]
        assert (told["counted_until"], told["per_day"], told["behind"]) == (None, None, True)


def test_a_day_is_a_day(erik, robot):
    """The pace needs whole days; the one that a meter began in is not whole."""
    make_plan(erik, robot, meters=[{"meter": HOURS, "every": 10}])
    send(robot, NOW, NOW + 2 * DAY, every=10 * MINUTE, speed=1500.0)
    count(NOW + 2 * DAY)
    assert sorted(AssetMeter.objects.get().days) == ["2026-11-21", "2026-11-22", "2026-11-23"]
