"""What the judge remembers after a restart, and what it holds back of the log for that."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import pytest

from techtrack.accounts.domain.access import internal
from techtrack.alerts import recall, rulebook, screening
from techtrack.alerts import services as alerts
from techtrack.alerts.domain.condition import Value, parse_conditions
from techtrack.alerts.domain.lifecycle import State, Watch, step
from techtrack.alerts.judge import NAME, Judge
from techtrack.alerts.memory import COMMITS, HELD, SAVED_EVERY
from techtrack.alerts.models import Alert, AlertEvent, JudgeMemory
from techtrack.alerts.rulebook import RuleBook
from techtrack.assets.models import AssetState
from techtrack.core import clock
from techtrack.core.clock import from_micros, to_micros
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests import factories
from tests.factories import NOW

SECOND = timedelta(seconds=1)
HOT = {"name": "Hot", "parameter": "t", "conditions": [{"kind": "above", "limit": 80.0, "severity": "high"}]}


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """Both clocks stand at NOW unless a test moves the wall clock."""
    moment = {"wall": NOW}
    monkeypatch.setattr(clock, "now", lambda: moment["wall"])
    monkeypatch.setattr(clock.plant_now, "_source", lambda: NOW)
    return moment


@pytest.fixture(params=["loop", "columns"], autouse=True)
def way(request, monkeypatch):
    """Both ways of looking at readings."""
    monkeypatch.setattr(screening, "FEW", 10**9 if request.param == "loop" else -1)


def send(asset, *samples, origin=Origin.LIVE, **others):
    rows = [Row(asset.pk, to_micros(NOW + at * SECOND), {"t": value, **others}) for at, value in samples]
    telemetry_services.ingest(batch=Batch.of(rows), by=internal(), now=NOW, origin=origin)


def work(judge):
    while judge.work():
        pass


def make_rule(**fields):
    rule = factories.make_rule(**(HOT | fields))
    rulebook.turn_page()
    return rule


@pytest.fixture
def judge(db):
    """A judge that has begun before the first reading."""
    judge = Judge()
    judge.work()
    return judge


def blob():
    return JudgeMemory.objects.get(name=COMMITS)


class TestRestart:
    def test_remembers_what_was_seen_since_the_blob_was_saved(self, judge, robot):
        make_rule()
        send(robot, (5, 70.0))
        work(judge)
        send(robot, (9, 70.0))
        work(judge)
        assert blob().position < telemetry.consumed(NAME)
        judge = Judge()
        send(robot, (8, 99.0))
        work(judge)
        assert not Alert.objects.exists()
        send(robot, (10, 99.0))
        work(judge)
        assert Alert.objects.get().raised_at == NOW + 10 * SECOND

    def test_remembers_that_a_new_rule_has_not_seen_what_its_series_has(self, judge, robot):
        make_rule(name="old")
        send(robot, (50, 70.0))
        work(judge)
        make_rule(name="new")
        work(judge)
        judge = Judge()
        send(robot, (40, 99.0))
        work(judge)
        assert Alert.objects.get().title == "new"

    def test_knows_that_a_rule_made_meanwhile_has_seen_nothing(self, judge, robot):
        make_rule(name="old")
        send(robot, (50, 70.0))
        work(judge)
        make_rule(name="new")
        judge = Judge()
        send(robot, (40, 99.0))
        work(judge)
        assert Alert.objects.get().title == "new"

    def test_goes_on_with_an_alert_and_its_delay(self, judge, robot):
        make_rule(on_delay=10 * SECOND, off_delay=10 * SECOND)
        send(robot, (-60, 99.0))
        work(judge)
        judge = Judge()
        send(robot, (-40, 99.0))
        work(judge)
        assert Alert.objects.get().raised_at == NOW - 50 * SECOND
        judge = Judge()
        send(robot, (-30, 70.0), (-15, 70.0))
        work(judge)
        assert Alert.objects.get().returned_at == NOW - 20 * SECOND

    def test_reads_the_blob_of_before(self, judge, robot, station):
        rule, other = make_rule(), make_rule(name="other")
        send(robot, (1, 70.0))
        work(judge)
        row, at = blob(), to_micros(NOW + 50 * SECOND)
        row.seen = msgspec.msgpack.encode([(rule.pk, robot.pk, at), (rule.pk, station.pk, at), (999, robot.pk, at)])
        row.save()
        judge = Judge()
        send(robot, (40, 99.0))
        send(station, (60, 99.0))
        work(judge)
        raised = set(Alert.objects.values_list("rule", "asset"))
        assert raised == {(other.pk, robot.pk), (rule.pk, station.pk), (other.pk, station.pk)}

    def test_goes_on_without_a_blob_that_cannot_be_read(self, judge, robot, caplog):
        make_rule()
        send(robot, (5, 70.0))
        work(judge)
        JudgeMemory.objects.update(seen=b"\x01rubbish")
        judge = Judge()
        send(robot, (9, 99.0))
        work(judge)
        assert Alert.objects.count() == 1
        assert "cannot be read" in caplog.text

    def test_tells_of_assets_that_were_seen_when_it_died(self, judge, robot, monkeypatch):
        """Told is first what is new; the rest waits, and a judge that dies takes it from the log again."""
        make_rule()
        monkeypatch.setattr("techtrack.alerts.domain.sightings.FEW", 0)
        for at in (1, 2):
            send(robot, (at, 70.0))
            work(judge)
        last_seen = AssetState.objects.filter(pk=robot.pk).values_list("last_seen", flat=True)
        assert last_seen.get() == NOW + SECOND
        work(Judge())
        assert last_seen.get() == NOW + 2 * SECOND


class TestSaving:
    def test_happens_every_ten_seconds_and_holds_the_log_back(self, judge, robot, time):
        make_rule()
        send(robot, (1, 70.0))
        work(judge)
        first = blob().position
        send(robot, (2, 70.0))
        work(judge)
        assert (blob().position, telemetry.consumed(HELD)) == (first, first)
        assert telemetry.consumed(NAME) == telemetry.head() > first
        time["wall"] = NOW + SAVED_EVERY
        work(judge)
        assert blob().position == telemetry.consumed(HELD) == telemetry.head()

    def test_is_not_repeated_while_nothing_comes(self, judge, robot, time):
        make_rule()
        send(robot, (1, 70.0))
        work(judge)
        time["wall"] = NOW + SAVED_EVERY
        number = judge._memory.number
        work(judge)
        assert judge._memory.number == number

    def test_holds_back_what_the_blob_needs_after_an_update_from_before(self, judge, robot):
        make_rule()
        for at in (1, 2):
            send(robot, (at, 70.0))
            work(judge)
        telemetry_services.advance(consumer=HELD, passed=blob().position, to=telemetry.head())
        Judge().work()
        assert telemetry.consumed(HELD) >= blob().position


class TestPage:
    def test_is_bounded_by_readings(self, judge, robot, monkeypatch):
        for at in range(30):
            send(robot, *((100 * at + more, 70.0) for more in range(10)))
        monkeypatch.setattr(recall, "MOST_READINGS", 100)
        first, more = recall.page(0)
        assert 100 <= sum(len(entry.batch) for entry in first) <= 130
        positions = [entry.position for entry in first]
        while more:
            entries, more = recall.page(positions[-1])
            positions += [entry.position for entry in entries]
        assert positions == [entry.position for entry in telemetry.log(after=0, limit=1000)]

    def test_does_not_change_what_is_found(self, judge, robot, monkeypatch):
        rule = make_rule(deadband=3.0, on_delay=2 * SECOND)
        monkeypatch.setattr(recall, "MOST_READINGS", 3)
        dice = random.Random(1)
        batches = [[(2 * n + dice.randint(-5, 5), dice.uniform(70, 90)) for _ in range(3)] for n in range(40)]
        for batch in batches:
            send(robot, *batch)
        work(judge)
        assert list(AlertEvent.objects.order_by("pk").values_list("kind", "at")) == said(batches, rule)


def said(batches, rule):
    """Replay the batches sample by sample; what still waits for its delay is not said."""
    watch = Watch(parse_conditions(rule.conditions), rule.deadband, 2_000_000, 0)
    state, told = State(), []
    for samples in batches:
        for at, value in sorted(samples):
            state, transitions = step(state, Value(to_micros(NOW + at * SECOND), value), watch)
            told += [(one.change.value, from_micros(one.at)) for one in transitions]
    return told


class TestRuleBook:
    def test_reads_again_only_what_changed(self, robot, django_assert_max_num_queries):
        rules = [make_rule(name=f"Rule {n}") for n in range(5)]
        book = RuleBook.load()
        change = {"conditions": [{"kind": "above", "limit": 70.0, "severity": "low"}]}
        alerts.update_rule(rule=rules[2], by=internal(), changes=change, expected=None, now=NOW)
        with django_assert_max_num_queries(4):
            again = RuleBook.load(book)
        kept = [entry.rule_id for entry in again.entries if any(entry is old for old in book.entries)]
        assert kept == [rule.pk for rule in rules if rule is not rules[2]]
        assert again.by_id[rules[2].pk].quiet[1] == 70.0

    def test_a_change_of_one_rule_forgets_nothing_of_the_others(self, judge, robot):
        make_rule(name="one")
        two = alerts.create_rule(by=internal(), now=NOW, data=HOT | {"name": "two"})
        send(robot, (50, 70.0))
        work(judge)
        alerts.update_rule(rule=two, by=internal(), changes={"deadband": 1.0}, expected=None, now=NOW)
        send(robot, (40, 99.0))
        work(judge)
        assert not Alert.objects.exists()
        alerts.delete_rule(rule=two, by=internal(), expected=None, now=NOW)
        send(robot, (45, 99.0))
        work(judge)
        assert not Alert.objects.exists()
        send(robot, (51, 99.0))
        work(judge)
        assert Alert.objects.get().title == "one"
