"""What once stopped the judge, or let it say what was no longer so: one bad rule, asset, device or edit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts import rulebook
from techtrack.alerts import services as alerts
from techtrack.alerts.domain.condition import Comparator
from techtrack.alerts.judge import Judge
from techtrack.alerts.memory import COMMITS
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.assets import services as assets
from techtrack.assets.models import Asset, AssetType
from techtrack.core import clock
from techtrack.core.clock import to_micros
from techtrack.core.models import Head
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests import factories
from tests.factories import NOW

SECOND = timedelta(seconds=1)
LARGE = 1.7e308
BODY = {"name": "Review", "parameter": "t", "conditions": [{"kind": "above", "limit": 80.0, "severity": "high"}]}


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


def send(asset, *samples):
    rows = [Row(asset.pk, to_micros(NOW + at * SECOND), {"t": value}) for at, value in samples]
    telemetry.ingest(batch=Batch.of(rows), by=internal(), now=NOW, origin=Origin.LIVE)


def work(judge):
    while judge.work():
        pass


def above(limit, severity="high"):
    return [{"kind": "above", "limit": limit, "severity": severity}]


def make_rule(**fields):
    rule = factories.make_rule(**({"parameter": "t", "conditions": above(80.0)} | fields))
    rulebook.turn_page()
    return rule


def edit(rule, who, **changes):
    rule.refresh_from_db()
    alerts.update_rule(rule=rule, by=access_of(who), changes=changes, expected=None, now=NOW)


def edit_asset(asset, who, **changes):
    held = Asset.objects.get(pk=asset.pk)
    assets.update_asset(asset=held, by=access_of(who), changes=changes, expected=None, now=NOW)


def commits(*judges, rounds=10):
    before = Head.current(COMMITS)
    for _ in range(rounds):
        for judge in judges:
            judge.work()
    return Head.current(COMMITS) - before


class TestTwoJudges:
    def test_are_at_rest_where_nothing_comes(self, judge, robot):
        make_rule()
        send(robot, (1, 85.0))
        other = Judge()
        work(judge)
        work(other)
        work(judge)
        assert commits(judge, other) == 0

    @pytest.mark.parametrize("policy", ["alert", "keep", "return"])
    def test_are_at_rest_where_a_series_stays_silent(self, judge, robot, plant_time, policy):
        make_rule(no_data={"after": "PT10S", "policy": policy, "severity": "low"})
        make_rule(aggregate={"window": "PT5S", "statistic": "avg"})
        send(robot, (0, 85.0), (1, 85.0))
        other = Judge()
        work(judge)
        plant_time["now"] = NOW + 60 * SECOND
        assert commits(judge, other) <= 3
        told = list(AlertEvent.objects.values_list("kind", flat=True))
        rulebook.turn_page()
        commits(judge, other)
        assert commits(judge, other, Judge()) == 0
        assert list(AlertEvent.objects.values_list("kind", flat=True)) == told


class TestJudge:
    @pytest.mark.parametrize(
        ("rule", "samples"),
        [
            ({"conditions": [{"kind": "rate_of_change", "limit": 1.0, "severity": "high"}]}, [LARGE, -LARGE]),
            ({"aggregate": {"window": "PT2S", "statistic": "sum"}}, [LARGE, LARGE, LARGE, LARGE, 0.0]),
            ({"aggregate": {"window": "PT2S", "statistic": "range"}}, [LARGE, -LARGE, LARGE, -LARGE, 0.0]),
        ],
        ids=["rate", "sum", "range"],
    )
    def test_tells_of_what_is_beyond_all_numbers(self, judge, robot, rule, samples):
        make_rule(**rule)
        for at, value in enumerate(samples):
            send(robot, (at, value))
        work(judge)
        assert Alert.objects.get().active

    def test_goes_on_where_an_attribute_is_no_limit(self, judge, robot, erik):
        make_rule(name="of the asset", conditions=above({"attribute": "most", "default": 80.0}))
        make_rule(name="plain")
        edit_asset(robot, erik, attributes={"most": 10**400})
        send(robot, (1, 85.0))
        work(judge)
        assert Alert.objects.get().title == "plain"

    def test_takes_limits_from_attributes_as_they_are_now(self, judge, robot, erik):
        make_rule(conditions=above({"attribute": "most", "default": 80.0}))
        work(judge)
        edit_asset(robot, erik, attributes={"most": 90})
        send(robot, (1, 85.0))
        work(judge)
        assert not Alert.objects.exists()
        edit_asset(robot, erik, attributes={"most": 70})
        send(robot, (2, 75.0))
        work(judge)
        assert Alert.objects.get().limit == 70.0

    @pytest.mark.parametrize("of", ["asset", "type"])
    def test_takes_the_interval_as_it_is_now(self, judge, robot, adam, plant_time, of):
        make_rule(no_data={"after": "2x", "policy": "alert", "severity": "low"})
        changes = {"expected_interval": 60 * SECOND}
        if of == "asset":
            edit_asset(robot, adam, **changes)
        else:
            kind = AssetType.objects.get(pk=robot.type_id)
            assets.update_asset_type(asset_type=kind, by=access_of(adam), changes=changes, expected=None, now=NOW)
        send(robot, (0, 70.0), (1, 70.0))
        work(judge)
        plant_time["now"] = NOW + 100 * SECOND
        work(judge)
        assert not Alert.objects.exists()
        plant_time["now"] = NOW + 130 * SECOND
        work(judge)
        assert Alert.objects.get().condition == "no_data"

    def test_raises_nothing_that_a_rule_edited_meanwhile_does_not_say(self, judge, robot, adam, plant_time):
        rule = make_rule(on_delay=10 * SECOND)
        send(robot, (0, 85.0))
        work(judge)
        edit(rule, adam, conditions=above(90.0))
        work(judge)
        plant_time["now"] = NOW + 20 * SECOND
        work(judge)
        work(Judge())
        assert not Alert.objects.exists()

    def test_raises_nothing_that_a_rule_edited_while_no_judge_ran_does_not_say(self, judge, robot, adam, plant_time):
        rule = make_rule(on_delay=10 * SECOND)
        send(robot, (0, 85.0))
        work(judge)
        edit(rule, adam, conditions=above(90.0))
        plant_time["now"] = NOW + 20 * SECOND
        work(Judge())
        work(Judge())
        assert not Alert.objects.exists()

    def test_keeps_what_a_deadband_held_when_only_the_name_changed(self, judge, robot, adam):
        rule = make_rule(deadband=10.0)
        send(robot, (0, 85.0))
        work(judge)
        edit(rule, adam, name="Another name")
        judge = Judge()
        send(robot, (1, 75.0))
        work(judge)
        assert Alert.objects.get().active

    def test_goes_on_with_all_others_when_one_rule_fails(self, judge, robot, adam, monkeypatch, caplog):
        holds = Comparator.holds

        def failing(self, value, *, held):
            return 1 / 0 if (self.high, value) == (81.0, 85.0) else holds(self, value, held=held)

        monkeypatch.setattr(Comparator, "holds", failing)
        broken, good = make_rule(conditions=above(81.0)), make_rule(name="Good")
        send(robot, (0, 85.0))
        work(judge)
        send(robot, (1, 70.0))
        work(judge)
        assert [alert.rule_id for alert in Alert.objects.all()] == [good.pk]
        assert caplog.text.count(f"rule {broken.pk} fails at asset {robot.pk}") == 1
        assert not Alert.objects.get().active

    def test_says_anew_how_grave_an_alert_is_once_its_rule_was_edited(self, judge, robot, adam):
        rule = make_rule(conditions=above(80.0, "low"))
        send(robot, (0, 85.0))
        work(judge)
        edit(rule, adam, conditions=above(80.0, "critical"))
        work(judge)
        judge = Judge()
        send(robot, (1, 86.0))
        work(judge)
        assert Alert.objects.get().severity == "critical"
        assert list(AlertEvent.objects.values_list("kind", flat=True)) == ["raised", "rule_changed", "severity_changed"]

    def test_forgets_an_asset_that_was_deleted_while_it_chattered(self, judge, robot, adam):
        make_rule()
        send(robot, (0, 85.0))
        work(judge)
        send(robot, (1, 70.0), (2, 85.0), (3, 70.0))
        held = Asset.objects.get(pk=robot.pk)
        assets.delete_asset(asset=held, by=access_of(adam), confirm=held.name, expected=None)
        work(judge)
        work(Judge())
        assert not Alert.objects.exists()


GROUPS = [[{"kind": "above", "limit": 9.0 * n + m} for m in range(3)] for n in range(9)]
LEAVES = [{"kind": "any_of", "conditions": group} for group in GROUPS]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"no_data": {"after": "P999999999D"}}, "/no_data/after"),
        ({"no_data": {"after": "99999999999999999999x"}}, "/no_data/after"),
        ({"conditions": [{"kind": "no_data", "after": "P9999D"}]}, "/conditions/0/after"),
        ({"conditions": [{"kind": "deviation", "sigmas": 3.0, "learn": "P999999999D"}]}, "/conditions/0/learn"),
        ({"conditions": [{"kind": "rate_of_change", "limit": 1.0, "over": "P999999999D"}]}, "/conditions/0/over"),
        ({"conditions": [{"kind": "air_quality", "limit": 1.0, "average": "P9999D"}]}, "/conditions/0/average"),
        ({"conditions": [{"kind": "all_of", "conditions": LEAVES}]}, "/conditions"),
    ],
)
def test_a_rule_that_would_stop_the_judge_is_refused(api, adam, changes, pointer):
    response = api(adam).post("/api/rules/", BODY | changes, format="json")
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
