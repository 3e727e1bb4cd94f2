"""What the judge remembers after a restart, and what it holds back of the log for that."""

from __future__ import annotations

import random
from datetime import timedelta
from types import SimpleNamespace

import msgspec
import pytest

from techtrack.accounts.domain.access import internal
from techtrack.alerts import judge as judging
from techtrack.alerts import recall, rulebook, screening
from techtrack.alerts import services as alerts
from techtrack.alerts.domain.condition import Circumstances
from techtrack.alerts.domain.features.base import Raw
from techtrack.alerts.domain.lifecycle import Look, State, step
from techtrack.alerts.judge import NAME, Judge
from techtrack.alerts.memory import COMMITS, HELD, SAVED_EVERY
from techtrack.alerts.models import Alert, AlertEvent, JudgeMemory
from techtrack.alerts.rulebook import RuleBook, spec_of
from techtrack.assets.models import AssetState
from techtrack.core import clock
from techtrack.core.clock import from_micros, to_micros
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry import services as telemetry_services
from techtrack.telemetry.domain.reading import Batch, Origin, Row
from tests import factories
from tests.factories import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
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


class TestTurningThePage:
    """How often the judge reads the rules anew."""

    @pytest.mark.parametrize(
        ("takes", "passed", "rests"),
        [
            pytest.param(0.05, 0.0, 0.45, id="nine times as long as the last reading took"),
            pytest.param(0.05, 0.4, 0.05, id="less what has passed since"),
            pytest.param(0.05, 2.0, 0.0, id="not at all where rules change seldom"),
            pytest.param(30.0, 0.0, 1.0, id="never longer than a second"),
        ],
    )
    def test_is_read_for_a_tenth_of_the_time_at_most(self, monkeypatch, judge, takes, passed, rests):
        clock, slept, load = [1000.0], list[float](), RuleBook.load

        def slowly(book):
            clock[0] += takes
            return load(book)

        monkeypatch.setattr(judging, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        monkeypatch.setattr(judging, "rest", slept.append)
        monkeypatch.setattr(RuleBook, "load", slowly)
        make_rule(name="first")
        work(judge)
        clock[0] += passed
        make_rule(name="second")
        work(judge)
        assert slept[1:] == [pytest.approx(rests)]

    def test_that_has_not_changed_costs_no_rest(self, monkeypatch, judge, robot):
        slept = list[float]()
        monkeypatch.setattr(judging, "rest", slept.append)
        for at in range(3):
            send(robot, (at, 70.0))
            work(judge)
        assert slept == []


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

    @pytest.mark.parametrize("restarts", [False, True])
    def test_knows_what_a_series_has_seen_though_the_rule_is_new(self, judge, robot, restarts):
        make_rule(name="old")
        send(robot, (50, 70.0))
        work(judge)
        make_rule(name="new")
        if restarts:
            judge = Judge()
        send(robot, (40, 99.0))
        work(judge)
        assert not Alert.objects.exists()
        send(robot, (51, 99.0))
        work(Judge())
        assert set(Alert.objects.values_list("title", "raised_at")) == {
            (name, NOW + 51 * SECOND) for name in ("old", "new")
        }

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

    def test_knows_how_late_readings_use_to_come(self, judge, robot):
        """Readings that come a minute late are no silence, nor just because the judge began anew."""
        make_rule(no_data={"after": "PT10S"})
        send(robot, (-60, 70.0))
        work(judge)
        for at in range(-59, -49):
            send(robot, (at, 70.0))
            work(judge)
        assert blob().position < telemetry.consumed(NAME)
        work(Judge())
        assert not Alert.objects.exists()

    def test_goes_on_with_an_alert_without_a_blob_that_can_be_read(self, judge, robot):
        """As after an update: the blob has another form, what phase a rule is in stands in rows."""
        make_rule(deadband=5.0)
        send(robot, (1, 85.0))
        work(judge)
        JudgeMemory.objects.update(seen=msgspec.msgpack.encode([(1, robot.pk, 10**15)]))
        judge = Judge()
        send(robot, (2, 79.0))
        work(judge)
        assert Alert.objects.get().active
        send(robot, (3, 74.0))
        work(judge)
        assert not Alert.objects.get().active

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


class TestAShiftThatIsOver:
    """What a schedule ends, no reading tells: a judge that begins anew soon after must know it all the same."""

    SHIFT = {"schedule": {"timezone": "UTC", "rrule": "FREQ=HOURLY", "duration": "PT30M"}}

    @pytest.fixture
    def stand(self, monkeypatch):
        """Set the plant's clock to so many minutes before NOW, a full hour."""

        def stand(minutes):
            moment = NOW - timedelta(minutes=minutes)
            monkeypatch.setattr(clock.plant_now, "_source", lambda: moment)

        stand(120)
        return stand

    @pytest.mark.parametrize(
        ("condition", "value"),
        [
            pytest.param(HOT["conditions"][0], 99.0, id="a value that stays"),
            pytest.param({"kind": "no_data", "after": "PT10M", "severity": "high"}, 70.0, id="a silence that goes on"),
        ],
    )
    def test_is_told_once(self, stand, judge, robot, condition, value):
        make_rule(conditions=[condition], **self.SHIFT)
        stand(85)
        send(robot, (-85 * 60, value))
        for minutes in (85, 74, 59, 29):
            stand(minutes)
            work(judge)
        told = [("raised", NOW - 60 * MINUTE), ("returned", NOW - 30 * MINUTE)]
        assert list(AlertEvent.objects.order_by("pk").values_list("kind", "at")) == told
        work(Judge())
        assert list(AlertEvent.objects.order_by("pk").values_list("kind", "at")) == told

    @pytest.mark.parametrize("restarts", [False, True])
    def test_is_not_told_if_nothing_held_by_then(self, stand, judge, robot, restarts):
        """Two values are needed; the second was measured before the shift, but came when it was over."""
        make_rule(count={"n": 2, "of": 2}, **self.SHIFT)
        send(robot, (-85 * 60, 99.0))
        for minutes in (85, 59, 29):
            stand(minutes)
            work(judge)
        send(robot, (-80 * 60, 99.0))
        work(judge)
        if restarts:
            judge = Judge()
        work(judge)
        assert not AlertEvent.objects.exists()


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
        rule = make_rule(deadband=3.0, on_delay=2 * SECOND, late_max_age=timedelta(0))
        monkeypatch.setattr(recall, "MOST_READINGS", 3)
        dice = random.Random(1)
        batches = [[(2 * n + dice.randint(-5, 5), dice.uniform(70, 90)) for _ in range(3)] for n in range(40)]
        for batch in batches:
            send(robot, *batch)
        work(judge)
        assert list(AlertEvent.objects.order_by("pk").values_list("kind", "at")) == said(batches, rule)

    def test_lets_nothing_end_by_a_clock_that_went_on_while_the_log_was_not_read(
        self, judge, robot, station, monkeypatch
    ):
        """A judge that was away: what lies further on in the log is no silence, and ends what was pending."""
        make_rule(no_data={"after": "PT20S"}, on_delay=20 * SECOND)

        def came(at, asset, value):
            moment = NOW + at * SECOND
            rows = [Row(asset.pk, to_micros(moment), {"t": value})]
            telemetry_services.ingest(batch=Batch.of(rows), by=internal(), now=moment, origin=Origin.LIVE)

        monkeypatch.setattr(clock.plant_now, "_source", lambda: NOW - 100 * SECOND)
        came(-100, station, 70.0)
        came(-100, robot, 99.0)
        work(judge)
        monkeypatch.setattr(clock.plant_now, "_source", lambda: NOW)
        for at in range(-90, 0, 10):
            came(at, station, 70.0)
            came(at, robot, 70.0)
        monkeypatch.setattr(recall, "MOST_READINGS", 1)
        monkeypatch.setattr(recall, "_FIRST", 1)
        work(judge)
        assert not Alert.objects.exists()


def said(batches, rule):
    """Replay the batches sample by sample; what still waits for its delay is not said."""
    watch = spec_of(rule).watch(Circumstances())
    state, told, newest = State(), [], -99
    for samples in batches:
        for at, value in sorted(samples):
            if at > newest:
                state, transitions = step(state, Look(to_micros(NOW + at * SECOND), {0: value}), watch)
                told += [(one.change.value, from_micros(one.at)) for one in transitions]
            newest = max(newest, at)
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
        assert again.columns[Raw("t")].high[:-1].tolist() == [70.0]

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
