"""What must hold when people and the judge write at once; on PostgreSQL a wrong order of locks is a deadlock."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from django.db import connection, transaction

from techtrack.accounts.queries import access_of
from techtrack.alerts import rulebook
from techtrack.alerts import services as alerts
from techtrack.alerts.domain.lifecycle import Change, Transition
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert, Rule
from techtrack.alerts.recording import Finding, hold_rules, record
from techtrack.alerts.rulebook import RuleBook
from techtrack.assets import services as assets
from techtrack.assets.models import Asset, AssetState
from techtrack.core.clock import EPOCH, to_micros
from techtrack.live import services as live
from techtrack.telemetry import queries as telemetry
from tests import factories
from tests.factories import NOW

LONG_ENOUGH = 0.3


def finding(rule, asset, at=EPOCH):
    entry = next(entry for entry in RuleBook.load().entries if entry.rule_id == rule.pk)
    return Finding(entry, asset.pk, Transition(Change.RAISED, to_micros(at), 0, 85.0))


def overlap(first, then, second):
    """Run ``second`` while the transaction of ``first`` and, a moment later, ``then`` is open; raise what fails."""
    begun = Event()

    def one():
        try:
            with transaction.atomic():
                first()
                begun.set()
                time.sleep(LONG_ENOUGH)
                then()
        finally:
            connection.close()

    def other():
        try:
            begun.wait(5)
            second()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for result in [pool.submit(one), pool.submit(other)]:
            result.result()


@pytest.mark.django_db(transaction=True)
class TestWriters:
    def test_of_an_alert_and_its_deletion_do_not_deadlock(self, erik, robot):
        alert = factories.make_alert(robot)
        overlap(
            lambda: Alert.objects.filter(pk=alert.pk).update(value=3),
            lambda: live.record(topics=["sites/1/alerts"], payload={"type": "alert"}, now=NOW),
            lambda: alerts.delete_alert(alert=alert, by=access_of(erik), expected=None),
        )
        assert not Alert.objects.exists()

    def test_of_an_alert_and_the_deletion_of_its_asset_do_not_deadlock(self, erik, robot):
        alert = factories.make_alert(robot)
        overlap(
            lambda: Alert.objects.filter(pk=alert.pk).update(value=3),
            lambda: assets.set_health(asset_id=robot.pk, worst="critical"),
            lambda: assets.delete_asset(asset=robot, by=access_of(erik), confirm=robot.name, expected=None),
        )
        assert not Asset.objects.filter(pk=robot.pk).exists()

    def test_of_an_alert_and_the_deletion_of_its_rule_do_not_deadlock(self, adam, robot, station):
        rule = factories.make_rule()
        factories.make_alert(robot, rule=rule)

        def raise_another():
            assert hold_rules([finding(rule, station)], others=[])
            Alert.objects.create(rule=rule, asset_id=station.pk, severity="high", raised_at=NOW, **factories.STAMPS)
            AssetState.objects.filter(pk=robot.pk).update(health="critical")

        overlap(
            raise_another,
            lambda: live.record(topics=["sites/1/alerts"], payload={"type": "alert"}, now=NOW),
            lambda: alerts.delete_rule(rule=rule, by=access_of(adam), expected=None, now=NOW),
        )
        assert not Alert.objects.filter(active=True).exists()

    def test_of_an_alert_that_is_taken_up_again_do_not_deadlock(self, robot, station):
        rule = factories.make_rule(reraise_window=timedelta(hours=1))
        known = {"rule": rule, "parameter": rule.parameter}
        over = factories.make_alert(robot, **known, is_open=False, active=False, returned_at=NOW)
        still = factories.make_alert(station, **known)

        def take(alert):
            list(Alert.objects.select_for_update(no_key=True).filter(pk=alert.pk))

        def judge():
            with transaction.atomic():
                found = [finding(rule, asset, at=NOW) for asset in (robot, station)]
                assert hold_rules(found, others=[])
                for one in found:
                    record([one], now=NOW)

        overlap(lambda: take(over), lambda: take(still), judge)
        over.refresh_from_db()
        assert (over.active, over.occurrences) == (True, 2)


class TestDeletion:
    def test_of_an_alert_leaves_the_health_that_the_others_say(self, erik, robot):
        factories.make_alert(robot, severity="low")
        worse = factories.make_alert(robot, severity="critical")
        assets.set_health(asset_id=robot.pk, worst="critical")
        alerts.delete_alert(alert=worse, by=access_of(erik), expected=None)
        assert AssetState.objects.get(pk=robot.pk).health == "warning"


class TestRulesHeld:
    def test_tells_of_one_that_is_gone(self, robot):
        rule = factories.make_rule()
        found = [finding(rule, robot)]
        with transaction.atomic():
            assert hold_rules(found, others=[(rule.pk + 1, robot.pk)])
        Rule.objects.all().delete()
        with transaction.atomic():
            assert not hold_rules(found, others=[])


class TestJudge:
    def test_knows_a_rule_that_was_there_before_the_reading(self, robot, monkeypatch):
        judge = Judge()
        judge.work()
        log = telemetry.log

        def meanwhile(**where):
            """Somebody writes a rule and then a reading after the judge has looked for rules."""
            monkeypatch.setattr(telemetry, "log", log)
            factories.make_rule()
            rulebook.turn_page()
            factories.make_reading(robot, temperature=85.0)
            return log(**where)

        monkeypatch.setattr(telemetry, "log", meanwhile)
        while judge.work():
            pass
        assert Alert.objects.count() == 1
