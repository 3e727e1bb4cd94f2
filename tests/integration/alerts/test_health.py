"""How an asset is by its alerts: what asks for somebody counts, whatever made it so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from techtrack.accounts.queries import access_of
from techtrack.alerts import hiding, queries, services
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert
from techtrack.alerts.services import Said
from techtrack.core import clock, events
from tests import factories
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def health(robot):
    """``health()``: what the robot's state says."""
    factories.make_reading(robot, at=NOW, load=1.0)

    def read():
        robot.state.refresh_from_db()
        return robot.state.health

    return read


@pytest.fixture
def report(olga, robot):
    """``report(severity)``: an alert of the robot that somebody reported."""

    def make(severity):
        data = {"asset": robot, "severity": severity, "title": "It rattles"}
        return services.create_alert(by=access_of(olga), now=NOW, data=data)

    return make


@pytest.fixture
def act(erik):
    """``act(alert, action)``: done by erik, with a reason for an hour."""

    def do(alert, action):
        said = Said("Because", LATER)
        services.act(alert=alert, action=action, said=said, by=access_of(erik), expected=None, now=NOW)

    return do


class TestHealth:
    @pytest.mark.parametrize(
        ("severities", "told"),
        [
            (["info"], "warning"),
            (["high"], "warning"),
            (["low", "critical"], "critical"),
        ],
    )
    def test_is_critical_only_where_an_alert_is(self, api, vera, robot, health, report, severities, told):
        for severity in severities:
            report(severity)
        assert health() == told
        assert api(vera).get(f"/api/equipment/{robot.pk}/").json()["health"] == told

    @pytest.mark.parametrize(
        ("aside", "back"), [("shelve", "unshelve"), ("out-of-service", "return-to-service")], ids=["shelved", "out"]
    )
    def test_leaves_out_what_is_put_aside(self, health, report, act, aside, back):
        alert = report("critical")
        act(alert, aside)
        assert health() == "good"
        act(alert, back)
        assert health() == "critical"

    def test_knows_when_that_ends_by_itself(self, health, report, act):
        act(report("critical"), "shelve")
        services.end_due(now=LATER)
        assert health() == "critical"

    def test_leaves_out_what_is_explained(self, health, robot):
        alert = factories.make_alert(robot, rule=factories.make_rule(), severity="critical")
        events.publish(services.telling.health(robot.pk))
        assert health() == "critical"
        silence = factories.make_silence()
        hiding.reconcile(now=NOW)
        assert (Alert.objects.get(pk=alert.pk).suppressed_by, health()) == (f"silence:{silence.pk}", "good")
        hiding.reconcile(now=LATER)
        assert health() == "critical"

    def test_waits_for_the_reset_of_what_is_latched(self, health, robot, act):
        alert = factories.make_alert(robot, severity="critical", active=False, latched=True, acknowledged_at=NOW)
        events.publish(services.telling.health(robot.pk))
        assert health() == "critical"
        act(alert, "reset")
        assert health() == "good"

    def test_is_that_of_the_others_too(self, health, report, act):
        report("low")
        act(report("critical"), "shelve")
        assert health() == "warning"

    @pytest.mark.parametrize("silenced", [False, True])
    def test_is_told_by_the_judge(self, health, erik, robot, silenced, monkeypatch):
        monkeypatch.setattr(clock.plant_now, "_source", clock.now)
        judge = Judge()
        judge.work()
        conditions = [{"kind": "above", "limit": 60, "severity": "critical"}]
        rule = {"name": "Hot", "parameter": "temperature", "conditions": conditions, "latched": True}
        services.create_rule(by=access_of(erik), now=NOW, data=rule | {"site": robot.site})
        if silenced:
            factories.make_silence(starts_at=clock.now() - MINUTE, ends_at=clock.now() + 60 * MINUTE)
        for second, value in enumerate((70, 50)):
            factories.make_reading(robot, at=clock.now() + timedelta(seconds=second), temperature=value)
            while judge.work():
                pass
            assert health() == ("good" if silenced else "critical"), f"active: {not second}"


def test_is_asked_of_an_index(robot, django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        queries.worst_active_severity(robot.pk)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {captured[0]['sql']}")
            assert "alert_active" in str(cursor.fetchall())
