"""The judge over the real log: exactly once, whatever crashes, whoever else judges."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta

import pytest
from django.db import transaction

from techtrack.accounts.domain.access import internal
from techtrack.accounts.queries import access_of
from techtrack.alerts import recording, rulebook, screening
from techtrack.alerts import services as alerts
from techtrack.alerts.domain.condition import Circumstances
from techtrack.alerts.domain.lifecycle import Look, State, step
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert, AlertEvent, JudgeMemory, Rule, RuleState
from techtrack.alerts.rulebook import spec_of
from techtrack.core import clock
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.models import Head
from techtrack.telemetry import services as telemetry
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from techtrack.telemetry.models import LogConsumer, Segment
from tests import factories
from tests.factories import NOW

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def plant_time(monkeypatch):
    """The plant's clock stands at NOW unless a test moves it."""
    moment = {"now": NOW}
    monkeypatch.setattr(clock.plant_now, "_source", lambda: moment["now"])
    return moment


def send(asset, *samples, origin=Origin.LIVE, parameter="temperature"):
    rows = [Row(asset.pk, to_micros(NOW + at * SECOND), {parameter: value}) for at, value in samples]
    # No clock is ahead.
    now = NOW + max(0, *(at for at, _ in samples), 0) * SECOND
    telemetry.ingest(batch=Batch.of(rows), by=internal(), now=now, origin=origin)


def make_rule(**fields):
    """A rule that the judge hears of, as it does of every rule written by a service."""
    rule = factories.make_rule(**fields)
    rulebook.turn_page()
    return rule


def work(judge):
    while judge.work():
        pass


@pytest.fixture
def judge(db):
    """A judge that has begun before the first reading."""
    judge = Judge()
    judge.work()
    return judge


class TestJudge:
    def test_raises_and_returns_an_alert_with_its_evidence(self, judge, robot):
        rule = make_rule(name="Hot")
        send(robot, (1, 70.0), (2, 85.0))
        work(judge)
        alert = Alert.objects.get()
        assert (alert.rule, alert.asset_id, alert.value, alert.limit, alert.state) == (
            rule,
            robot.pk,
            85.0,
            80.0,
            "unacknowledged",
        )
        assert alert.raised_at == NOW + 2 * SECOND
        send(robot, (3, 79.0))
        work(judge)
        alert.refresh_from_db()
        assert (alert.state, alert.status, alert.is_open) == ("returned_unacknowledged", "cleared_unacknowledged", True)
        kinds = list(AlertEvent.objects.values_list("kind", flat=True))
        assert kinds == ["raised", "returned"]
        assert AlertEvent.objects.first().evidence["limit"] == 80.0

    def test_returns_what_a_rule_found_before_it_was_given_another_parameter(self, judge, robot, adam):
        rule = make_rule()
        send(robot, (1, 85.0))
        work(judge)
        changes = {"parameter": "pressure"}
        alerts.update_rule(rule=rule, by=access_of(adam), changes=changes, expected=None, now=NOW)
        assert not Alert.objects.filter(active=True).exists()
        send(robot, (2, 85.0), parameter="pressure")
        work(judge)
        assert Alert.objects.get(active=True).parameter == "pressure"

    def test_takes_up_an_open_alert_again_and_counts(self, judge, robot, olga):
        make_rule()
        send(robot, (1, 85.0), (2, 70.0), (3, 85.0))
        work(judge)
        alert = Alert.objects.get()
        assert (alert.occurrences, alert.active, alert.acknowledged_at) == (2, True, None)

    def test_closes_an_acknowledged_alert_when_it_returns_and_opens_a_new_one(self, judge, robot, olga):
        make_rule()
        send(robot, (1, 85.0))
        work(judge)
        alerts.acknowledge_alert(alert=Alert.objects.get(), by=access_of(olga), comment="", now=NOW)
        send(robot, (2, 70.0), (3, 85.0))
        work(judge)
        assert list(Alert.objects.order_by("pk").values_list("is_open", "active")) == [(False, False), (True, True)]

    def test_does_not_judge_imported_history(self, judge, robot):
        make_rule()
        send(robot, (1, 85.0), origin=Origin.IMPORT)
        work(judge)
        assert not Alert.objects.exists()

    def test_fires_a_timer_although_nothing_arrives(self, judge, robot, plant_time):
        make_rule(on_delay=timedelta(seconds=30))
        send(robot, (0, 85.0))
        work(judge)
        assert not Alert.objects.exists()
        plant_time["now"] = NOW + 31 * SECOND
        work(judge)
        assert Alert.objects.get().raised_at == NOW + 30 * SECOND

    def test_gives_late_samples_the_time_that_they_are_late(self, judge, robot, plant_time):
        make_rule(on_delay=timedelta(seconds=30))
        send(robot, (-3600, 85.0))
        work(judge)
        send(robot, (-3599, 70.0))
        work(judge)
        plant_time["now"] = NOW + 60 * SECOND
        work(judge)
        assert not Alert.objects.exists()
        send(robot, (-3500, 85.0))
        work(judge)
        plant_time["now"] = NOW + 91 * SECOND
        work(judge)
        assert Alert.objects.get().raised_at == NOW - 3470 * SECOND

    @pytest.mark.parametrize("passes", [1, 2])
    def test_waits_for_what_comes_on_time_no_longer_because_what_came_before_was_late(
        self, judge, robot, plant_time, passes
    ):
        make_rule(on_delay=timedelta(seconds=30))
        send(robot, *[(at, 70.0) for at in range(-50, 0)])
        if passes == 2:
            work(judge)
        send(robot, (0, 85.0))
        work(judge)
        plant_time["now"] = NOW + 31 * SECOND
        work(judge)
        assert Alert.objects.get().raised_at == NOW + 30 * SECOND

    def test_tells_of_a_thousand_chatters_in_a_batch_once(self, judge, robot, django_assert_max_num_queries):
        make_rule()
        send(robot, *[(at, 85.0 if at % 2 else 70.0) for at in range(1000)])
        with django_assert_max_num_queries(60):
            work(judge)
        alert = Alert.objects.get()
        assert (alert.occurrences, alert.active, alert.raised_at) == (500, True, NOW + SECOND)
        assert AlertEvent.objects.count() == 999

    def test_obeys_a_rule_that_was_changed(self, judge, robot):
        rule = alerts.create_rule(by=internal(), now=NOW, data=rule_data(limit=80.0))
        send(robot, (1, 75.0))
        work(judge)
        assert not Alert.objects.exists()
        alerts.update_rule(rule=rule, by=internal(), changes=rule_data(limit=70.0), expected=None, now=NOW)
        send(robot, (2, 75.0))
        work(judge)
        assert Alert.objects.get().limit == 70.0

    def test_returns_the_alert_of_a_rule_that_was_switched_off(self, judge, robot):
        rule = alerts.create_rule(by=internal(), now=NOW, data=rule_data(limit=80.0))
        send(robot, (1, 85.0))
        work(judge)
        alerts.update_rule(rule=rule, by=internal(), changes={"enabled": False}, expected=None, now=NOW)
        work(judge)
        assert not Alert.objects.get().active
        assert not RuleState.objects.exists()

    def test_goes_on_although_one_rule_cannot_be_read(self, judge, robot):
        make_rule(conditions=[{"kind": "gone", "limit": 1.0, "severity": "high"}])
        rule = make_rule()
        send(robot, (1, 85.0))
        work(judge)
        assert Alert.objects.get().rule == rule

    def test_watches_only_what_is_in_scope(self, judge, robot, station, plant, other_site):
        tagged = factories.make_equipment("Tagged", site=plant, tags=["cnc"])
        make_rule(name="tags", tags=["cnc"])
        make_rule(name="elsewhere", site=other_site)
        make_rule(name="type", asset_type=robot.type)
        make_rule(name="assets", assets=[station.pk])
        for asset in (tagged, robot, station):
            send(asset, (1, 99.0))
        work(judge)
        raised = set(Alert.objects.values_list("rule__name", "asset__name"))
        assert raised == {("tags", "Tagged"), ("type", "Robot 1"), ("assets", "Station 1")}

    def test_marks_what_it_has_seen(self, judge, robot):
        send(robot, (5, 1.0), (3, 1.0))
        work(judge)
        robot.state.refresh_from_db()
        assert robot.state.last_seen == NOW + 5 * SECOND


def rule_data(*, limit):
    return {
        "name": "Hot",
        "parameter": "temperature",
        "conditions": [{"kind": "above", "limit": limit, "severity": "high"}],
    }


def history(seed, length=60):
    """A random walk around the limit, in batches, with some late readings."""
    dice, at = random.Random(seed), 0
    for _ in range(length):
        samples = []
        for _ in range(dice.randint(1, 4)):
            at += dice.randint(1, 20)
            samples.append((at - (dice.randint(30, 60) if dice.random() < 0.1 else 0), dice.uniform(70, 90)))
        yield samples


def oracle(batches, rule):
    """An independent replay: the pure step over the same samples, one after the other."""
    watch = spec_of(rule).watch(Circumstances())
    state, said, newest = State(), [], -3600
    for samples in batches:
        for at, value in sorted(samples):
            if at > newest:
                state, transitions = step(state, Look(to_micros(NOW + at * SECOND), {0: value}), watch)
                said += [(t.change.value, from_micros(t.at)) for t in transitions]
            newest = max(newest, at)
    return said


class Crash(Exception):
    """The process dies here."""


@pytest.fixture(params=["loop", "columns"])
def way(request, monkeypatch):
    """Each way of looking at readings, whatever their number."""
    monkeypatch.setattr(screening, "FEW", 10**9 if request.param == "loop" else -1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(4))
class TestCrashes:
    def test_any_number_of_crashes_and_judges_gives_the_oracles_list(self, seed, monkeypatch, plant, plant_time):
        dice = random.Random(seed)
        robot = factories.make_equipment("Robot", site=plant)
        delays = {"on_delay": timedelta(seconds=25), "off_delay": timedelta(seconds=15)}
        rule = factories.make_rule(deadband=2.0, late_max_age=timedelta(0), **delays)
        judges = [Judge(), Judge()]
        judges[0].work()
        real = recording.AlertEvent.objects.bulk_create

        def dies_now_and_then(rows):
            if dice.random() < 0.3:
                raise Crash
            return real(rows)

        monkeypatch.setattr(recording.AlertEvent.objects, "bulk_create", dies_now_and_then)
        batches = list(history(seed))
        for samples in batches:
            send(robot, *samples)
            who = dice.randrange(2)
            if dice.random() < 0.2:
                judges[who] = Judge()
            attempt(judges[who])
        monkeypatch.setattr(recording.AlertEvent.objects, "bulk_create", real)
        for judge in judges:
            work(judge)
        told = list(AlertEvent.objects.order_by("pk").values_list("kind", "at"))
        assert told == oracle(batches, rule), f"seed {seed}"
        assert Alert.objects.filter(is_open=True).count() <= 1

    def test_a_judge_that_moves_its_cursor_first_is_caught(self, seed, monkeypatch, plant, plant_time):
        """The planted bug: cursor and findings in two transactions. A crash between them loses findings."""
        robot = factories.make_equipment("Robot", site=plant)
        rule = factories.make_rule()
        judge = Judge()
        judge.work()
        batches = [[(1, 70.0)], [(2, 85.0)], [(3, 70.0)]]
        for number, samples in enumerate(batches):
            send(robot, *samples)
            if number == 1:
                memory = judge._memory
                with transaction.atomic():
                    telemetry.advance(consumer="judge", passed=memory.committed, to=memory.committed + 1)
                judge = Judge()
            work(judge)
        assert list(AlertEvent.objects.values_list("kind", "at")) != oracle(batches, rule)


def attempt(judge):
    """Let a judge work until it is done or dies."""
    with contextlib.suppress(Crash):
        work(judge)


def test_a_rule_that_is_deleted_leaves_no_active_alert(judge, robot):
    rule = alerts.create_rule(by=internal(), now=NOW, data=rule_data(limit=80.0))
    send(robot, (1, 85.0))
    work(judge)
    alerts.delete_rule(rule=rule, by=internal(), expected=None, now=NOW)
    work(judge)
    assert not Alert.objects.filter(active=True).exists()
    assert not Rule.objects.exists()


def test_a_backup_that_is_restored_under_a_running_judge_is_judged_from_there(judge, robot):
    """The log counts on from the backup: below the position at which the judge stood."""
    make_rule()
    send(robot, (1, 70.0))
    work(judge)
    kept = {model: list(model.objects.all()) for model in (Head, LogConsumer, JudgeMemory)}
    send(robot, (2, 70.0))
    send(robot, (3, 70.0))
    work(judge)
    Segment.objects.filter(position__gt=1).delete()
    for model, rows in kept.items():
        model.objects.all().delete()
        model.objects.bulk_create(rows)
    send(robot, (4, 85.0))
    work(judge)
    assert Alert.objects.filter(active=True).count() == 1
