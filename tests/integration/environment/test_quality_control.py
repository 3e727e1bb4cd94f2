"""Readings tested as they arrive: marks by code, what they leave out, and what people say over them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert
from techtrack.alerts.queries import lab
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Conflict
from techtrack.environment import jobs, services
from techtrack.environment.jobs import QualityControl
from techtrack.environment.queries import plans
from techtrack.environment.screening import Screen
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.models import LogConsumer, QualityMark
from techtrack.telemetry.services import Reached, Saying, mark_quality
from techtrack.telemetry.store import compaction
from tests import factories
from tests.factories import NOW
from tests.integration.environment.stations import HOUR, make_station, pass_all, send, settle


def flags(sensor):
    """(parameter, flag, first and last hour before NOW) of the marks of a sensor."""
    rows = QualityMark.objects.filter(asset_id=sensor.pk).exclude(flag="").order_by("start_at", "code")
    return [(row.code, row.flag, _ago(row.start_at), _ago(row.end_at - 1)) for row in rows]


def _ago(micros):
    return (NOW - from_micros(micros)) // HOUR


def mean(sensor, code, *, hours=48):
    """The mean of a parameter, as every reader of statistics gets it."""
    end = to_micros(NOW) + 1
    found = telemetry.means([sensor.pk], codes=(code,), edges=np.array([end - hours * 3_600_000_000, end]))
    return round(float(found[sensor.pk, code][1][0]), 6)


@pytest.fixture
def sensor(plant):
    return make_station(site=plant)


class TestWhatArrives:
    def test_is_marked_by_code_and_left_out_of_means(self, control, sensor):
        send(sensor, last=NOW, pm2_5=[10, 12, -999, 10, 5000, 12])
        assert mean(sensor, "pm2_5") > 500
        pass_all(control)
        assert flags(sensor) == [("pm2_5", "sentinel", 3, 3), ("pm2_5", "range", 1, 1)]
        assert mean(sensor, "pm2_5") == 11.0

    def test_is_left_out_of_what_is_folded_too(self, control, sensor):
        send(sensor, last=NOW, pm2_5=[10, 12, -999, 10, 5000, 12])
        while compaction.compact(NOW, force=True) is not None:
            pass
        pass_all(control)
        assert mean(sensor, "pm2_5") == 11.0
        while compaction.compact(NOW, force=True) is not None:
            pass
        assert mean(sensor, "pm2_5") == 11.0

    def test_is_not_changed(self, control, sensor):
        send(sensor, last=NOW, pm2_5=[-999.0])
        pass_all(control)
        assert telemetry.reading(asset_id=sensor.pk, time=to_micros(NOW)).values == {"pm2_5": -999.0}

    @pytest.mark.parametrize("origin", [Origin.LIVE, Origin.REPLAY, Origin.IMPORT])
    def test_is_tested_wherever_it_comes_from(self, control, sensor, origin):
        send(sensor, last=NOW, pm2_5=[-999.0], origin=origin)
        pass_all(control)
        assert len(flags(sensor)) == 1

    def test_makes_one_mark_that_grows(self, control, sensor):
        for hour in range(5):
            send(sensor, last=NOW - (4 - hour) * HOUR, pm2_5=[5000.0])
            pass_all(control)
        assert flags(sensor) == [("pm2_5", "range", 4, 0)]
        assert "pm2_5" not in {code for _, code in telemetry.means([sensor.pk], codes=(), edges=np.array([0, 2**62]))}

    def test_is_stuck_also_for_a_process_that_has_just_begun(self, control, sensor):
        send(sensor, last=NOW - HOUR, pm2_5=[7.0] * 24)
        pass_all(control)
        assert flags(sensor) == []
        send(sensor, last=NOW, pm2_5=[7.0])
        pass_all(QualityControl())
        assert flags(sensor) == [("pm2_5", "stuck", 24, 0)]

    def test_of_machines_is_nobodys_air(self, control, plant):
        furnace = factories.make_equipment(site=plant)
        oven = factories.make_sensor(site=plant)
        for asset in (furnace, oven):
            send(asset, last=NOW, temperature=[900.0])
        send(furnace, last=NOW, pm2_5=[-999.0])
        pass_all(control)
        assert not QualityMark.objects.exists()

    def test_of_a_sensor_that_measures_air_from_now_on_is_tested_from_now_on(self, control, plant):
        young = make_station(site=plant)
        send(young, last=NOW - 2 * HOUR, temperature=[900.0])
        pass_all(control)
        assert flags(young) == []
        send(young, last=NOW - HOUR, pm2_5=[12.0])
        send(young, last=NOW, temperature=[900.0])
        pass_all(control)
        assert flags(young) == [("temperature", "range", 0, 0)]

    def test_is_tested_by_the_settings_of_its_sensor(self, control, sensor):
        settle(sensor, checks={"pm2_5": {"maximum": 50, "keep": ["range"]}})
        send(sensor, last=NOW, pm2_5=[10, 60])
        pass_all(control)
        assert flags(sensor) == [("pm2_5", "range", 0, 0)]
        # Flagged, and yet used.
        assert mean(sensor, "pm2_5") == 35.0

    def test_follows_settings_that_change(self, control, sensor, erik):
        send(sensor, last=NOW - HOUR, pm2_5=[60.0])
        pass_all(control)
        data = {"sensor": sensor, "checks": {"pm2_5": {"maximum": 50}}}
        services.create_settings(by=access_of(erik), data=data, now=NOW)
        send(sensor, last=NOW, pm2_5=[60.0])
        pass_all(control)
        assert flags(sensor) == [("pm2_5", "range", 0, 0)]


class TestAnOfficer:
    def say(self, sensor, by, quality, start, end):
        said = Saying("pm2_5", (to_micros(start), to_micros(end)), quality, "smoke of a real fire")
        return mark_quality(asset=sensor, said=said, by=access_of(by), now=NOW)

    def test_restores_what_a_test_doubts_and_takes_out_what_it_does_not(self, control, sensor, erik):
        send(sensor, last=NOW, pm2_5=[10, 5000, 30])
        pass_all(control)
        self.say(sensor, erik, Quality.GOOD, NOW - HOUR, NOW)
        self.say(sensor, erik, Quality.BAD, NOW, NOW + HOUR)
        assert mean(sensor, "pm2_5") == 2505.0

    def test_has_the_last_word_whenever_it_was_said(self, control, sensor, erik):
        self.say(sensor, erik, Quality.GOOD, NOW - HOUR, NOW + HOUR)
        send(sensor, last=NOW, pm2_5=[10, 5000])
        pass_all(control)
        assert flags(sensor) == [("pm2_5", "range", 0, 0)]
        assert mean(sensor, "pm2_5") == 2505.0

    def test_is_recorded(self, sensor, erik, adam, api):
        self.say(sensor, erik, Quality.BAD, NOW - HOUR, NOW)
        found = api(adam).get("/api/audit/?object_type=quality-mark").json()["results"]
        assert [(one["action"], one["after"]["reason"]) for one in found] == [
            ("quality-mark.created", "smoke of a real fire")
        ]


class TestAProcessThatBegins:
    """In the middle of what another one has marked."""

    def restart_after(self, control, sensor, first, then, **more):
        """Let one process test hourly dust, and one that begins what comes then; the marks."""
        everything = {"pm2_5": [*first, *then]} | more
        send(sensor, last=NOW - len(then) * HOUR, **{code: some[: len(first)] for code, some in everything.items()})
        pass_all(control)
        send(sensor, last=NOW, **{code: some[len(first) :] for code, some in everything.items()})
        pass_all(QualityControl())
        return flags(sensor)

    @pytest.mark.parametrize(
        ("first", "then", "expected"),
        [
            pytest.param([50.0] * 40, [50.0] * 20, [("stuck", 59, 0)], id="a value that is stuck"),
            pytest.param([10.0, 50.0], [50.0] * 26 + [9.0], [("stuck", 27, 1)], id="a value that will be"),
            pytest.param([50.0] * 40 + [9.0], [50.0] * 20, [("stuck", 60, 21)], id="a run that has ended"),
            pytest.param([9.0] + [-999.0] * 9, [-999.0] * 9, [("sentinel", 17, 0)], id="a night of -999"),
            pytest.param(
                [9.0, -999.0, 9.5], [-999.0], [("sentinel", 2, 2), ("sentinel", 0, 0)], id="a good one between"
            ),
            pytest.param([9.0, 500.0], [9.0], [("spike", 1, 1)], id="a spike, which is known by what follows"),
            pytest.param([500.0, 500.0], [9.0], [], id="a plume that ends"),
        ],
    )
    def test_goes_on(self, control, sensor, first, then, expected):
        assert self.restart_after(control, sensor, first, then) == [("pm2_5", *one) for one in expected]

    def test_goes_on_with_a_run_that_may_last_longer_than_a_day(self, control, sensor):
        settle(sensor, checks={"pm2_5": {"stuck": "PT72H"}})
        assert self.restart_after(control, sensor, [50.0] * 60, [50.0] * 13) == [("pm2_5", "stuck", 72, 0)]

    def test_knows_the_humidity_that_came_before(self, control, sensor):
        settle(sensor, checks={"pm2_5": {"humidity": 95.0}})
        found = self.restart_after(control, sensor, [9.0], [9.5], humidity=[99.0, None])
        assert found == [("pm2_5", "humidity", 1, 0)]

    def test_is_not_misled_by_what_comes_late_from_another(self, control, sensor, plant):
        other = make_station("Other", site=plant)
        send(sensor, last=NOW - HOUR, pm2_5=[50.0] * 40)
        pass_all(control)
        moments = [(sensor.pk, NOW, 50.0), (other.pk, NOW - 1000 * HOUR, 9.0)]
        rows = [Row(asset, to_micros(moment), {"pm2_5": value}) for asset, moment, value in moments]
        telemetry_services.ingest(batch=Batch.of(rows), by=internal(), now=NOW, origin=Origin.LIVE)
        pass_all(QualityControl())
        assert flags(sensor) == [("pm2_5", "stuck", 40, 0)]


class TestTwoProcesses:
    def test_that_take_turns_make_one_mark(self, control, sensor, monkeypatch):
        monkeypatch.setattr(jobs, "NOTED_EVERY", 0.0)
        both = [control, QualityControl()]
        for hour in range(60):
            send(sensor, last=NOW - (59 - hour) * HOUR, pm2_5=[50.0])
            for one in (both, both[::-1])[hour % 2]:
                pass_all(one)
        assert flags(sensor) == [("pm2_5", "stuck", 59, 0)]

    def test_mark_each_reading_once(self, control, sensor):
        send(sensor, last=NOW - HOUR, pm2_5=[-999.0])
        pass_all(control)
        other = QualityControl()
        other.work()
        send(sensor, last=NOW, pm2_5=[5000.0])
        pass_all(control)
        pass_all(other)
        assert flags(sensor) == [("pm2_5", "sentinel", 1, 1), ("pm2_5", "range", 0, 0)]

    def test_undo_what_the_slower_one_has_marked(self, control, sensor, monkeypatch):
        send(sensor, last=NOW, pm2_5=[-999.0])
        control.work()
        assert len(flags(sensor)) == 1
        position = LogConsumer.objects.get(name="quality").position
        with pytest.raises(Conflict):
            services.flag_doubtful(stretches=[], passed=Reached(position - 1), to=Reached(position), now=NOW)

    def test_go_on_where_a_process_ended(self, control, sensor):
        send(sensor, last=NOW, pm2_5=[10.0])
        control.work()
        control.finish()
        assert LogConsumer.objects.get(name="quality").position == telemetry.head()


class TestNeighbours:
    @pytest.fixture
    def row(self, plant):
        return [make_station(f"Row {n}", site=plant, latitude=50 + n / 100, longitude=8.0) for n in range(5)]

    def test_are_compared_once_an_hour(self, db, row, monkeypatch):
        now = NOW.replace(minute=15)
        monkeypatch.setattr(jobs.clock, "now", lambda: now)
        for number, sensor in enumerate(row):
            values = [95.0 if number == 2 else 10.0 + number] * 2
            send(sensor, last=NOW - timedelta(minutes=30), pm2_5=values)
        assert jobs.compare_neighbours() is False
        (mark,) = QualityMark.objects.all()
        assert (mark.asset_id, mark.code, mark.flag) == (row[2].pk, "pm2_5", "neighbours")
        assert (from_micros(mark.start_at), from_micros(mark.end_at)) == (NOW - HOUR, NOW)
        jobs.compare_neighbours()
        assert QualityMark.objects.count() == 1

    def compared(self, monkeypatch, sent):
        """Let sensors send an hour of dust, compare; who is marked, and as what."""
        monkeypatch.setattr(jobs.clock, "now", lambda: NOW.replace(minute=15))
        for sensor, value in sent.items():
            send(sensor, last=NOW - timedelta(minutes=30), pm2_5=[value] * 2)
        jobs.compare_neighbours()
        return [(mark.asset_id, Quality(mark.quality)) for mark in QualityMark.objects.all()]

    def test_cast_suspicion_and_take_nothing_out(self, row, monkeypatch):
        found = self.compared(monkeypatch, dict(zip(row, [10.0, 11.0, 95.0, 13.0, 14.0], strict=True)))
        assert found == [(row[2].pk, Quality.SUSPECT)]
        assert mean(row[2], "pm2_5") == 95.0

    def test_of_other_sites_have_no_say(self, row, monkeypatch):
        mine = make_station("Mine", site=factories.make_site("Other works"), latitude=50.0, longitude=8.0)
        assert self.compared(monkeypatch, {mine: 95.0} | dict.fromkeys(row, 5.0)) == []

    def test_need_to_be_three_and_no_more(self, row, monkeypatch):
        found = self.compared(monkeypatch, dict(zip(row[:4], [10.0, 11.0, 95.0, 13.0], strict=True)))
        assert found == [(row[2].pk, Quality.SUSPECT)]

    @pytest.mark.parametrize(
        ("value", "doubted"), [(0.061, False), (0.195, True)], ids=["the same in mg/m3", "unlike in mg/m3"]
    )
    def test_are_compared_in_one_unit(self, row, plant, monkeypatch, value, doubted):
        kind = factories.make_type("in-milligrams", parameters=[{"code": "pm2_5", "unit": "mg/m3"}])
        other = make_station("In milligrams", site=plant, type=kind, latitude=50.0, longitude=8.0)
        found = self.compared(monkeypatch, {other: value} | dict(zip(row, [60.0, 61, 62, 63, 60], strict=True)))
        assert [asset for asset, _ in found] == [other.pk] * doubted

    def test_are_asked_for_in_parts_that_a_statement_takes(self, row, monkeypatch):
        monkeypatch.setattr(plans, "AT_ONCE", 2)
        with CaptureQueriesContext(connection) as captured:
            found = self.compared(monkeypatch, dict(zip(row, [10.0, 11.0, 95.0, 13.0, 14.0], strict=True)))
        assert [asset for asset, _ in found] == [row[2].pk]
        lists = [
            one["sql"].split('"assets_asset"."id" IN (')[1].split(")")[0].split(",")
            for one in captured
            if '"assets_asset"."id" IN (' in one["sql"]
        ]
        assert {len(ids) for ids in lists} == {1, 2}

    def test_are_compared_by_one_process(self, db):
        assert services.compared_up_to(hour=100) == 100
        ends = from_micros(101 * 3_600_000_000)
        services.flag_unlike(found=[], ends=ends, passed=100, now=NOW)
        with pytest.raises(services.AlreadyCompared):
            services.flag_unlike(found=[], ends=ends, passed=100, now=NOW)


ABOVE = {"kind": "above", "limit": 50.0, "severity": "high"}
DOUBTED = [
    pytest.param({"pm2_5": [-999.0, 65535.0]}, "pm2_5", id="sentinel"),
    pytest.param({"pm2_5": [5000.0] * 2}, "pm2_5", id="range"),
    pytest.param({"pm2_5": [90.0] * 2, "pm2_5_a": [10.0] * 2, "pm2_5_b": [170.0] * 2}, "pm2_5", id="channels"),
    pytest.param({"pm2_5_a": [10.0] * 2, "pm2_5_b": [170.0] * 2}, "pm2_5_b", id="channels without their mean"),
    pytest.param({"pm2_5": [90.0] * 2, "humidity": [99.0] * 2}, "pm2_5", id="humidity"),
    pytest.param({"voc": [90.0] * 2}, "voc", id="range of a parameter with tests of its own alone"),
]


class TestRules:
    """What is flagged on arrival reaches none: not the judge, not one that begins anew, not the rule lab."""

    @pytest.fixture
    def sensor(self, sensor):
        settle(sensor, checks={"pm2_5": {"humidity": 95.0}, "voc": {"maximum": 80.0}})
        send(sensor, last=NOW - 30 * HOUR, pm2_5=[10.0], voc=[10.0])
        return sensor

    def rule(self, code):
        return factories.make_rule(parameter=code, conditions=[ABOVE])

    def judged(self, judge=None):
        """The values of the alerts, once a judge has read all there is; one that has just begun unless said."""
        judge = judge or Judge(Screen().sound)
        while judge.work():
            pass
        return list(Alert.objects.values_list("value", flat=True))

    def tried(self, sensor, rule):
        span = (to_micros(NOW - 100 * HOUR), to_micros(NOW + HOUR))
        return [len(one.episodes) for one in lab.preview(lab.Asked(rule, [sensor.pk], span)).outcomes]

    @pytest.mark.parametrize(("sent", "code"), DOUBTED)
    def test_do_not_see_it(self, control, sensor, sent, code):
        rule = self.rule(code)
        assert self.judged() == []
        send(sensor, last=NOW - HOUR, **sent)
        assert self.judged() == []
        pass_all(control)
        assert {flag[0] for flag in flags(sensor)} >= {code}
        assert sum(self.tried(sensor, rule)) == 0
        # What is measured is seen on both ways.
        send(sensor, last=NOW + HOUR / 2, **{code: [60.0]})
        assert self.judged() == [60.0]
        assert self.tried(sensor, rule) == [1]

    @pytest.mark.parametrize("begun", [False, True], ids=["by the same process", "by one that has begun since"])
    def test_do_not_see_fog_that_another_message_told(self, control, sensor, begun):
        rule = self.rule("pm2_5")
        judge = Judge(Screen().sound)
        send(sensor, last=NOW - HOUR - timedelta(minutes=1), humidity=[99.0])
        assert self.judged(judge) == []
        send(sensor, last=NOW - HOUR, pm2_5=[90.0])
        assert self.judged(None if begun else judge) == []
        pass_all(control)
        assert flags(sensor) == [("pm2_5", "humidity", 1, 1)]
        assert self.tried(sensor, rule) == [0]

    def test_see_dust_after_the_fog_and_in_spite_of_a_broken_probe(self, control, sensor):
        self.rule("pm2_5")
        assert self.judged() == []
        send(sensor, last=NOW - 3 * HOUR, humidity=[99.0])
        send(sensor, last=NOW - HOUR, pm2_5=[70.0])
        send(sensor, last=NOW, humidity=[65535.0], pm2_5=[80.0])
        assert self.judged() == [70.0]
        pass_all(control)
        assert {flag[:2] for flag in flags(sensor)} == {("humidity", "sentinel")}

    @pytest.mark.parametrize(
        ("values", "checks"),
        [
            pytest.param([70.0] * 30, {}, id="stuck"),
            pytest.param([10.0, 900.0, 10.0], {}, id="spike"),
            pytest.param([10.0, 70.0], {"rate": 20.0}, id="rate"),
        ],
    )
    def test_of_the_lab_do_not_see_what_is_known_by_now(self, control, plant, values, checks):
        sensor = make_station("Other", site=plant)
        settle(sensor, checks={"pm2_5": checks} if checks else {})
        send(sensor, last=NOW - HOUR, pm2_5=values)
        rule = self.rule("pm2_5")
        assert self.tried(sensor, rule) == [1]
        pass_all(control)
        assert flags(sensor)
        assert sum(self.tried(sensor, rule)) == 0


class TestScreen:
    """What the judge is shown of the log."""

    def seen(self, sensor, code="pm2_5"):
        entries = Screen().sound(telemetry.log(after=0, limit=100))
        found = []
        for entry in entries:
            if entry.kind is Kind.READINGS:
                rows = (row for row in entry.batch.rows() if row.asset == sensor.pk)
                found += [row.values.get(code) for row in rows]
        return found

    def test_leaves_out_what_is_no_measurement(self, sensor):
        send(sensor, last=NOW, pm2_5=[10, -999, 5000, 12], pm10=[20, 20, 20, 20])
        assert self.seen(sensor) == [10, None, None, 12]
        assert self.seen(sensor, "pm10") == [20, 20, 20, 20]

    def test_leaves_out_what_is_marked_by_then(self, sensor, erik):
        send(sensor, last=NOW, pm2_5=[10, 11, 12])
        said = Saying(None, (to_micros(NOW - HOUR), to_micros(NOW)), Quality.BAD, "calibration")
        mark_quality(asset=sensor, said=said, by=access_of(erik), now=NOW)
        assert self.seen(sensor) == [10, None, 12]

    def test_leaves_out_channels_that_disagree(self, sensor):
        send(sensor, last=NOW, pm2_5=[20, 21], pm2_5_a=[20, 10], pm2_5_b=[21, 40])
        assert self.seen(sensor) == [20, None]
        assert self.seen(sensor, "pm2_5_a") == [20, None]

    def test_keeps_what_the_settings_say_is_used(self, sensor):
        settle(sensor, checks={"pm2_5": {"keep": ["range", "sentinel"]}})
        send(sensor, last=NOW, pm2_5=[-999, 5000])
        assert self.seen(sensor) == [-999, 5000]

    def test_leaves_machines_alone(self, plant):
        robot = factories.make_equipment(site=plant)
        factories.make_reading(robot, at=NOW, temperature=-999.0)
        assert self.seen(robot, "temperature") == [-999.0]

    def test_lets_no_rule_see_a_sentinel(self, plant, sensor):
        """The judge raises an alert for what is measured, and none for what is not."""
        factories.make_rule(parameter="pm2_5", conditions=[{"kind": "above", "limit": 50.0, "severity": "high"}])
        judge = Judge(Screen().sound)
        judge.work()
        send(sensor, last=NOW - HOUR, pm2_5=[65535.0])
        while judge.work():
            pass
        assert not Alert.objects.exists()
        send(sensor, last=NOW, pm2_5=[60.0])
        while judge.work():
            pass
        assert Alert.objects.get().value == 60.0


def test_a_value_that_is_entered_late_is_marked_by_itself(control, sensor):
    send(sensor, last=NOW, pm2_5=[10.0, 11.0])
    pass_all(control)
    row = Row(sensor.pk, to_micros(NOW) - 1_800_000_000, {"pm2_5": -999.0})
    telemetry_services.ingest(batch=Batch.of([row]), by=internal(), now=NOW, origin=Origin.LIVE)
    pass_all(control)
    assert flags(sensor) == [("pm2_5", "sentinel", 0, 0)]
