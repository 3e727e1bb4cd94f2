"""What a judge must bear: clocks that are wrong, features that fail, silence, numbers without measure."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts import rulebook
from techtrack.alerts import services as alerts
from techtrack.alerts.domain.features.changes import Gap, Rate
from techtrack.alerts.domain.features.windows import Window
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert, Rule, RuleFault
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.core.models import Head
from techtrack.live.models import LiveEvent
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests import factories
from tests.factories import NOW

SECOND = timedelta(seconds=1)
HOUR = 3600
HOT = {"kind": "above", "limit": 80.0, "severity": "high"}
RISING = {"kind": "rate_of_change", "limit": 1.0, "severity": "high"}
SILENT = {"kind": "no_data", "after": "PT1M", "severity": "low"}


@pytest.fixture(autouse=True)
def plant_time(monkeypatch):
    """The plant's clock stands at NOW unless a test moves it."""
    moment = {"now": NOW}
    monkeypatch.setattr(clock.plant_now, "_source", lambda: moment["now"])
    return moment


@pytest.fixture
def judge(db):
    """A judge that has begun before the first reading."""
    judge = Judge()
    judge.work()
    return judge


def send(asset, at, came=None, **values):
    """One reading of second ``at``, which came then or at another time."""
    row = Row(asset.pk, to_micros(NOW + at * SECOND), values or {"temperature": 1.0})
    now = NOW + (at if came is None else came) * SECOND
    telemetry.ingest(batch=Batch.of([row]), by=internal(), now=now, origin=Origin.LIVE)


def make_rule(*conditions, **fields):
    rule = factories.make_rule(conditions=conditions, **fields)
    rulebook.turn_page()
    return rule


def work(judge):
    while judge.work():
        pass


class TestClocksThatAreAhead:
    def test_hide_nothing_of_what_is_sent_once_they_are_right(self, judge, robot):
        make_rule(HOT)
        send(robot, 20 * HOUR, came=0, temperature=20.0)
        work(judge)
        send(robot, 10, temperature=99.0)
        work(judge)
        assert Alert.objects.get().raised_at == NOW + 10 * SECOND

    def test_do_not_hide_what_they_send_themselves(self, judge, robot):
        make_rule(HOT)
        send(robot, 20 * HOUR, came=0, temperature=99.0)
        work(judge)
        assert Alert.objects.get().raised_at == NOW

    def test_do_not_hide_silence(self, judge, robot, plant_time):
        make_rule(SILENT)
        send(robot, 20 * HOUR, came=0)
        work(judge)
        plant_time["now"] = NOW + 61 * SECOND
        work(judge)
        assert Alert.objects.get().raised_at == NOW + 60 * SECOND

    def test_are_shown_until_they_are_right(self, judge, robot, api, vera):
        send(robot, HOUR, came=0)
        work(judge)
        asset = api(vera).get(f"/api/equipment/{robot.pk}/").json()
        assert (asset["clock_ahead"], asset["last_seen"]) == ("PT1H", clock.isoformat(NOW))
        send(robot, 10)
        work(judge)
        asset = api(vera).get(f"/api/equipment/{robot.pk}/").json()
        assert (asset["clock_ahead"], asset["last_seen"]) == (None, clock.isoformat(NOW + 10 * SECOND))


def fails(monkeypatch, kind, method):
    """Let a feature fail in one of its methods."""

    def failing(*_):
        raise ZeroDivisionError(f"in {method}")

    monkeypatch.setattr(kind, method, failing)


class TestAFeatureThatFails:
    @pytest.mark.parametrize(
        ("kind", "method", "rule"),
        [
            pytest.param(Rate, "feed", {"conditions": [RISING]}, id="when fed"),
            pytest.param(Rate, "blank", {"conditions": [RISING]}, id="when made"),
            pytest.param(Rate, "calm", {"conditions": [RISING | {"over": "PT4S"}]}, id="when asked for a promise"),
            pytest.param(Gap, "lapses", {"conditions": [SILENT]}, id="when a clock is set"),
            pytest.param(
                Window,
                "close",
                {"aggregate": {"window": "PT3S"}, "conditions": [HOT | {"limit": 1e6}]},
                id="when a clock rings",
            ),
        ],
    )
    def test_stops_its_rules_alone_and_says_so(
        self, kind, method, rule, judge, robot, plant_time, monkeypatch, caplog, api, vera
    ):
        conditions = rule.pop("conditions", [HOT])
        broken, good = make_rule(*conditions, **rule), make_rule(HOT, name="Good", parameter="load")
        fails(monkeypatch, kind, method)
        for second in range(4):
            send(robot, second, temperature=99.0 * second, load=99.0)
            work(judge)
        plant_time["now"] = NOW + 100 * SECOND
        work(judge)
        assert [alert.rule_id for alert in Alert.objects.all()] == [good.pk]
        told = api(vera).get("/api/rules/").json()["results"]
        faults = {one["id"]: one["fault"] and one["fault"]["detail"] for one in told}
        assert faults[good.pk] is None
        assert f"ZeroDivisionError: in {method}" in faults[broken.pk]
        assert caplog.text.count("is not judged until rules change") == 1

    def test_is_tried_again_once_rules_have_changed(self, judge, robot, monkeypatch):
        rule = make_rule(RISING)
        with monkeypatch.context() as patch:
            fails(patch, Rate, "feed")
            send(robot, 0)
            work(judge)
        send(robot, 1, temperature=99.0)
        work(judge)
        assert RuleFault.objects.get().rule == rule
        assert not Alert.objects.exists()
        changes = {"name": "Another name"}
        alerts.update_rule(rule=rule, by=internal(), changes=changes, expected=None, now=NOW)
        for second in (2, 3):
            send(robot, second, temperature=99.0 * second)
            work(judge)
        assert Alert.objects.exists()
        assert not RuleFault.objects.exists()

    def test_is_not_tried_again_by_each_of_two_judges(self, judge, robot, monkeypatch, caplog):
        make_rule(RISING)
        fails(monkeypatch, Rate, "feed")
        other = Judge()
        for second in range(6):
            send(robot, second)
            work(judge)
            work(other)
            # The other one has just begun, and tries once more.
            assert RuleFault.objects.exists() or not second
        assert caplog.text.count("is not judged until rules change") <= 3

    def test_is_tried_again_by_a_new_process(self, judge, robot, monkeypatch):
        make_rule(RISING)
        with monkeypatch.context() as patch:
            fails(patch, Rate, "feed")
            send(robot, 0)
            work(judge)
        work(Judge())
        assert not RuleFault.objects.exists()


class TestARuleThatIsJudgedNowhere:
    def test_says_why(self, judge, robot, api, vera):
        unread = make_rule({"kind": "gone", "severity": "high"})
        unlimited = make_rule(HOT | {"limit": {"attribute": "t_max"}})
        work(judge)
        details = dict(RuleFault.objects.values_list("rule_id", "detail"))
        assert details.keys() == {unread.pk, unlimited.pk}
        assert "'gone' is not a known condition" in details[unread.pk]
        assert details[unlimited.pk] == "the asset has no number 't_max' among its attributes"
        Rule.objects.filter(pk=unread.pk).delete()
        rulebook.turn_page()
        work(judge)
        assert RuleFault.objects.get().rule == unlimited


class TestASiteThatGoes:
    def test_takes_its_rules_and_what_they_found_along(self, judge, robot, other_site):
        robot.site = other_site
        robot.save()
        rule = make_rule(HOT, site=other_site)
        send(robot, 0, temperature=99.0)
        work(judge)
        assert Alert.objects.get(active=True).rule == rule
        robot.site = None
        robot.save()
        page = Head.current(rulebook.HEAD)
        accounts.delete_site(site=other_site, by=internal(), expected=None, now=NOW)
        assert Head.current(rulebook.HEAD) > page
        assert not Alert.objects.filter(active=True).exists()
        work(judge)
        assert judge._book.entries == []


class TestARuleThatForgetsInSilence:
    @pytest.mark.parametrize("then", ["restarts", "turns the page"])
    def test_keeps_what_it_holds_of_what_is_not_silent(self, then, judge, robot, plant_time):
        conditions = [HOT, HOT | {"parameter": "load", "severity": "low"}]
        make_rule(*conditions, no_data={"after": "PT10S", "policy": "return", "severity": "low"})
        send(robot, 0, temperature=20.0)
        work(judge)
        plant_time["now"] = NOW + 20 * SECOND
        work(judge)
        send(robot, 21, load=99.0)
        work(judge)
        assert Alert.objects.get().active
        plant_time["now"] = NOW + 30 * SECOND
        if then == "restarts":
            judge = Judge()
        else:
            make_rule(HOT, name="Another")
        work(judge)
        assert Alert.objects.get().active


class TestLateData:
    @pytest.mark.parametrize("policy", ["alert", "return"])
    def test_are_judged_by_rules_that_mind_silence_too(self, policy, judge, robot):
        make_rule(HOT, no_data={"after": "PT1H", "policy": policy, "severity": "low"})
        send(robot, 100, temperature=20.0)
        work(judge)
        for second, value in ((10, 99.0), (20, 20.0)):
            send(robot, second, came=101, temperature=value)
            work(judge)
        alert = Alert.objects.get()
        assert (alert.late, alert.active, alert.raised_at) == (True, False, NOW + 10 * SECOND)
        assert alert.returned_at == NOW + 20 * SECOND


class TestNumbersWithoutMeasure:
    @pytest.mark.parametrize("where", [0, 5], ids=["at first", "on the way"])
    @pytest.mark.parametrize(
        "condition",
        [{"kind": "deviation", "sigmas": 6.0, "learn": "PT20S"}, {"kind": "control_chart", "rules": [1], "learn": 20}],
        ids=["deviation", "control chart"],
    )
    @pytest.mark.parametrize("value", [1e200, -1.7e308])
    def test_teach_nothing(self, value, condition, where, judge, robot):
        make_rule(condition | {"severity": "high"})
        for second in range(22):
            send(robot, second, temperature=value if second == where else 20.0 + second % 2)
        work(judge)
        assert not Alert.objects.exists()
        send(robot, 22, temperature=40.0)
        work(judge)
        assert Alert.objects.get().active


class TestManyAlertsAtOnce:
    def test_hold_the_numbers_of_live_events_for_two_statements(self, robot, olga):
        pks = [factories.make_alert(robot).pk for _ in range(20)]
        with CaptureQueriesContext(connection) as queries:
            alerts.act_on_many(
                action="acknowledge", items=dict.fromkeys(pks), said=alerts.Said(), by=access_of(olga), now=NOW
            )
        told = [one["sql"] for one in queries]
        taken = next(place for place, sql in enumerate(told) if "INSERT INTO core_head" in sql)
        behind = [sql for sql in told[taken + 1 :] if "SAVEPOINT" not in sql]
        assert len(behind) == 1
        assert "live_liveevent" in behind[0]
        assert LiveEvent.objects.count() == 20
