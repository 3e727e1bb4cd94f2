"""What hides alerts, and what uncovers them again: nothing is told of what is explained, and nothing is lost."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Event

import pytest
from django.db import connection, transaction

from techtrack.accounts.queries import access_of
from techtrack.alerts import hiding, jobs, news
from techtrack.alerts import services as alerts
from techtrack.alerts.domain.suppression import InhibitedByItself
from techtrack.alerts.events import AlertChanged, AlertRaised, AlertReturned
from techtrack.alerts.hiding import covering
from techtrack.alerts.judge import Judge
from techtrack.alerts.models import Alert, AlertEvent, Rule, Suppression
from techtrack.assets import services as assets
from techtrack.core import events
from techtrack.notifications.jobs import tell_due
from techtrack.notifications.models import Delivery
from techtrack.tasks.models import Task
from tests import factories
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def heard(monkeypatch):
    """The facts that were published during the test; also heard by those whom they are for."""
    facts, publish = [], events.publish

    def listen(fact):
        facts.append(fact)
        publish(fact)

    monkeypatch.setattr(events, "publish", listen)
    return facts


def raised(alert, **fields):
    """The fact that an alert was raised."""
    site = alert.asset.site_id
    return AlertRaised(alert.pk, alert.asset_id, site, alert.severity, NOW, **fields)


def make(asset, **fields):
    """An alert of a rule."""
    return factories.make_alert(asset, **({"rule": factories.make_rule(), "condition": "above"} | fields))


def told(heard):
    """The alerts of which people were told."""
    return [fact.alert_id for fact in heard if isinstance(fact, AlertRaised) and not fact.hidden]


def by(alert):
    alert.refresh_from_db()
    return alert.suppressed_by


def last(alert):
    return AlertEvent.objects.filter(alert=alert).last()


class TestCover:
    def test_asks_once_where_nothing_hides_anything(self, robot, django_assert_num_queries):
        facts = [raised(make(robot))]
        with django_assert_num_queries(1):
            assert hiding.cover(facts, now=NOW) == facts

    def test_asks_nothing_where_nothing_was_raised(self, db, django_assert_num_queries):
        with django_assert_num_queries(0):
            hiding.cover([AlertReturned(1, 1, None, "high", NOW)], now=NOW)

    def test_hides_what_work_explains_and_says_so(self, robot):
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW)
        alert = make(robot)
        returned = AlertReturned(alert.pk, robot.pk, robot.site_id, "high", NOW)
        facts = hiding.cover([raised(alert), returned], now=NOW)
        assert [fact.hidden for fact in facts[:2]] == [True, True]
        assert [type(fact).__name__ for fact in facts[2:]] == ["AssetHealthChanged"]
        assert by(alert) == "task:12"
        assert (alert.state, alert.version) == ("suppressed", 2)
        event = last(alert)
        assert (event.kind, event.before, event.after) == ("suppressed", "unacknowledged", "suppressed")
        assert event.evidence == {"before": {"suppressed_by": ""}, "after": {"suppressed_by": "task:12"}}

    def test_makes_one_alert_of_fifty_sensors_behind_a_silent_gateway(self, plant, django_assert_max_num_queries):
        gateway = factories.make_equipment("Gateway", site=plant)
        rule = factories.make_rule()
        found = [make(gateway, rule=rule, condition="no_data")]
        found += [
            make(factories.make_sensor(site=plant, parent_id=gateway.pk), rule=rule, condition="no_data")
            for _ in range(50)
        ]
        facts = [raised(alert) for alert in found]
        with django_assert_max_num_queries(7):
            facts = hiding.cover(facts, now=NOW)
        assert told(facts) == [found[0].pk]
        assert {by(alert) for alert in found[1:]} == {f"alert:{found[0].pk}"}

    def test_uncovers_what_is_raised_again_once_its_reason_is_gone(self, robot):
        alert = make(robot, suppressed_by="task:12")
        assert told(hiding.cover([raised(alert, again=True, hidden=True)], now=NOW)) == [alert.pk]
        assert by(alert) == ""

    def test_tells_of_what_became_graver_than_a_silence_reaches(self, robot):
        factories.make_silence(matchers={"severities": ["low"]})
        alert = make(robot, severity="low")
        hiding.cover([raised(alert)], now=NOW)
        assert by(alert) != ""
        Alert.objects.update(severity="critical")
        changed = AlertChanged(alert.pk, robot.site_id, "severity_changed")
        assert told(hiding.cover([changed], now=NOW)) == [alert.pk]
        assert by(alert) == ""

    def test_hides_a_flood_from_the_thirty_first_on_and_only_what_is_mild(self, robot, settings):
        settings.FLOOD_RAISES = 3
        mild = [make(robot, severity="low") for _ in range(5)]
        grave = make(robot, severity="high")
        facts = hiding.cover([raised(alert) for alert in [*mild, grave]], now=NOW)
        assert told(facts) == [mild[0].pk, mild[1].pk, mild[2].pk, grave.pk]
        assert [by(alert) for alert in mild] == ["", "", "", "flood", "flood"]

    def test_leaves_what_a_person_reported(self, robot):
        factories.make_silence()
        facts = [raised(factories.make_alert(robot))]
        assert hiding.cover(facts, now=NOW) == facts

    def test_passes_over_a_silence_that_cannot_be_read(self, robot, caplog):
        factories.make_silence(timezone="Mars/Olympus")
        facts = [raised(make(robot))]
        assert hiding.cover(facts, now=NOW) == facts
        assert "cannot be read" in caplog.text


class TestReconcile:
    def test_hides_when_a_window_begins_and_tells_when_it_ends(self, robot, heard):
        silence = factories.make_silence(
            starts_at=NOW + HOUR, ends_at=None, rrule="FREQ=DAILY", duration=2 * HOUR, timezone="Europe/Berlin"
        )
        alert = make(robot)
        assert hiding.reconcile(now=NOW) == NOW + HOUR
        assert by(alert) == ""
        assert hiding.reconcile(now=NOW + HOUR) == NOW + 3 * HOUR
        assert (by(alert), alert.state) == (f"silence:{silence.pk}", "suppressed")
        assert told(heard) == []
        assert hiding.reconcile(now=NOW + 3 * HOUR) == NOW + 25 * HOUR
        assert (by(alert), alert.state) == ("", "unacknowledged")
        assert told(heard) == [alert.pk]
        kinds = [fact.event for fact in heard if isinstance(fact, AlertChanged)]
        assert kinds == ["suppressed", "unsuppressed"]

    @pytest.mark.parametrize(
        ("fields", "state", "is_open"),
        [
            pytest.param({"acknowledged_at": NOW}, "acknowledged", True, id="taken"),
            pytest.param({"shelved_until": NOW + HOUR}, "shelved", True, id="shelved"),
            pytest.param({"active": False, "returned_at": NOW}, "normal", False, id="over"),
            pytest.param({"active": False, "is_open": False, "acknowledged_at": NOW}, "normal", False, id="closed"),
            pytest.param({"active": False, "latched": True}, "latched", True, id="latched"),
        ],
    )
    def test_uncovers_without_a_word_what_nobody_has_to_be_told_of(self, robot, heard, fields, state, is_open):
        alert = make(robot, suppressed_by="task:12", **fields)
        hiding.reconcile(now=NOW)
        assert (by(alert), alert.state, alert.is_open) == ("", state, is_open)
        assert told(heard) == []

    def test_keeps_what_returned_while_its_reason_lasts(self, robot):
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW)
        alert = make(robot, suppressed_by="task:12", active=False, returned_at=NOW)
        hiding.reconcile(now=NOW)
        assert (by(alert), alert.is_open) == ("task:12", True)

    def test_leaves_what_returns_in_sight_of_everybody_while_it_looks(self, robot, monkeypatch):
        """Who was told of it is to acknowledge it; it is not over because a silence ends."""
        factories.make_silence()
        alert = make(robot)
        settle = covering._settle

        def meanwhile(pks, now):
            Alert.objects.update(active=False, returned_at=NOW)
            settle(pks, now)

        monkeypatch.setattr(covering, "_settle", meanwhile)
        hiding.reconcile(now=NOW)
        assert (by(alert), alert.state) == ("", "returned_unacknowledged")

    @pytest.mark.parametrize(
        ("interval", "patience"),
        [
            pytest.param(None, MINUTE, id="a minute"),
            pytest.param(10 * MINUTE, 20 * MINUTE, id="two of its readings"),
            pytest.param(30 * 24 * HOUR, 24 * HOUR, id="not for ever"),
        ],
    )
    def test_waits_before_it_tells_of_sensors_whose_gateway_is_back(self, plant, heard, interval, patience):
        gateway = factories.make_equipment(site=plant)
        sensor = factories.make_sensor(site=plant, parent_id=gateway.pk, expected_interval=interval)
        cause, alert = make(gateway, condition="no_data"), make(sensor, condition="flatline")
        hiding.reconcile(now=NOW)
        assert by(alert) == f"alert:{cause.pk}"
        Alert.objects.filter(pk=cause.pk).update(active=False, returned_at=NOW, updated_at=NOW)
        hiding.reconcile(now=NOW + patience - MINUTE / 60)
        assert by(alert) == f"alert:{cause.pk}"
        hiding.reconcile(now=NOW + patience)
        assert by(alert) == ""
        assert told(heard) == [alert.pk]

    def test_hides_what_another_rule_inhibits_on_the_asset_or_above(self, plant):
        line = factories.make_equipment(site=plant)
        robot = factories.make_equipment(site=plant, parent_id=line.pk)
        stopped = factories.make_rule()
        alert = make(robot, rule=factories.make_rule(inhibited_by=[stopped.pk]))
        other = make(factories.make_equipment(site=plant), rule=alert.rule)
        hiding.reconcile(now=NOW)
        assert (by(alert), by(other)) == ("", "")
        cause = make(line, rule=stopped, condition="below")
        hiding.reconcile(now=NOW)
        assert (by(alert), by(other)) == (f"rule:{stopped.pk}", "")
        Alert.objects.filter(pk=cause.pk).update(active=False, returned_at=NOW, updated_at=NOW)
        hiding.reconcile(now=NOW + MINUTE)
        assert by(alert) == ""

    def test_uncovers_a_flood_once_it_calms(self, robot, settings, heard):
        settings.FLOOD_RAISES = 3
        alerts = [make(robot, severity="low") for _ in range(4)]
        hiding.cover([raised(alert) for alert in alerts], now=NOW)
        hiding.reconcile(now=NOW + 9 * MINUTE)
        assert by(alerts[3]) == "flood"
        hiding.reconcile(now=NOW + 10 * MINUTE)
        assert by(alerts[3]) == ""
        assert told(heard) == [alerts[3].pk]

    def test_gives_people_their_time_from_when_they_are_told(self, robot):
        rule = factories.make_rule(escalation=[{"after": "PT10M", "severity": "critical"}])
        alert = make(robot, rule=rule, escalates_at=NOW + 10 * MINUTE, suppressed_by="task:12")
        hiding.reconcile(now=NOW + HOUR)
        assert by(alert) == ""
        assert alert.escalates_at == NOW + HOUR + 10 * MINUTE

    def test_knows_of_no_end_where_there_is_none(self, robot):
        factories.make_silence(ends_at=None)
        alert = make(robot)
        assert hiding.reconcile(now=NOW) is None
        assert by(alert) != ""

    def test_hides_no_flood_that_people_were_told_of(self, robot, settings):
        settings.FLOOD_RAISES = 3
        alerts = [make(robot, severity="low") for _ in range(5)]
        factories.make_silence(matchers={"severities": ["critical"]})
        hiding.reconcile(now=NOW)
        assert {by(alert) for alert in alerts} == {""}

    def test_opens_the_task_that_the_rule_wishes_only_once_it_is_told(self, robot, heard):
        wish = {"title": "Grease it"}
        alert = make(robot, rule=factories.make_rule(open_task=wish), suppressed_by="task:12")
        hiding.reconcile(now=NOW)
        assert [fact.open_task for fact in heard if isinstance(fact, AlertRaised)] == [wish]
        assert told(heard) == [alert.pk]

    def test_asks_little_of_thirty_alerts_that_are_as_they_should_be(self, plant, robot, django_assert_max_num_queries):
        factories.make_silence()
        for _ in range(30):
            make(factories.make_sensor(site=plant, parent_id=robot.pk), severity="low")
        hiding.reconcile(now=NOW)
        with django_assert_max_num_queries(8):
            hiding.reconcile(now=NOW)


class TestSuppression:
    def test_is_of_one_asset_and_keeps_its_beginning(self, robot, station):
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW)
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW + HOUR, until=NOW + 2 * HOUR)
        assert list(Suppression.objects.values_list("asset", "starts_at", "until")) == [(robot.pk, NOW, NOW + 2 * HOUR)]
        hiding.suppress(asset_id=station.pk, by="task:12", starts_at=NOW)
        assert list(Suppression.objects.values_list("asset", "until")) == [(station.pk, None)]
        hiding.unsuppress(by="task:12")
        assert not Suppression.objects.exists()

    def test_lasts_from_its_beginning_to_its_end(self, robot):
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW + HOUR, until=NOW + 2 * HOUR)
        alert = make(robot)
        found = []
        for now in (NOW, NOW + HOUR, NOW + 2 * HOUR):
            change = hiding.reconcile(now=now)
            found.append((by(alert), change))
        assert found == [("", NOW + HOUR), ("task:12", NOW + 2 * HOUR), ("", None)]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def watch(monkeypatch):
    moved = Clock()
    monkeypatch.setattr(jobs.clock, "now", moved)
    return moved


class TestHider:
    def test_looks_when_something_was_changed_or_is_due(self, robot, watch, monkeypatch):
        looks = []
        monkeypatch.setattr(jobs, "LOOK_AGAIN", HOUR)
        reconcile = hiding.reconcile
        monkeypatch.setattr(hiding, "reconcile", lambda *, now: (looks.append(now), reconcile(now=now))[1])
        hider = jobs.Hider()
        for seconds, change in ((0, None), (1, None), (2, "task:12"), (3, None), (60, None), (61, None)):
            watch.at = NOW + timedelta(seconds=seconds)
            if change:
                hiding.suppress(asset_id=robot.pk, by=change, starts_at=NOW, until=NOW + MINUTE)
            hider.work()
        assert [(at - NOW).seconds for at in looks] == [0, 2, 60]


def both(*work):
    """Run pieces of work at once, each on a connection of its own; raise what fails."""

    def alone(piece):
        try:
            return piece()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        for result in [pool.submit(alone, piece) for piece in work]:
            result.result()


@pytest.mark.django_db(transaction=True)
class TestRaces:
    """A window ends while the judge raises; two look at once. Each campaign catches what it is for."""

    def judge_and_hider(self, robot, watch):
        """Let the judge raise in a window that ends before it commits; the hider looks meanwhile and ever after."""
        factories.make_silence(ends_at=NOW + MINUTE)
        hider = jobs.Hider()
        hider.work()
        decided, looked = Event(), Event()

        def judge():
            try:
                with transaction.atomic():
                    hiding.cover([raised(make(robot))], now=NOW)
                    decided.set()
                    looked.wait(5)
            finally:
                decided.set()

        def hide():
            decided.wait(5)
            watch.at = NOW + MINUTE
            hider.work()
            looked.set()

        both(judge, hide)
        for _ in range(12):
            watch.at += timedelta(seconds=1)
            hider.work()

    def test_nothing_stays_hidden_that_was_raised_while_its_silence_ended(self, robot, watch, heard):
        self.judge_and_hider(robot, watch)
        alert = Alert.objects.get()
        assert (by(alert), told(heard)) == ("", [alert.pk])

    def test_a_planted_hider_that_only_looks_when_something_is_due_is_caught(self, robot, watch, heard, monkeypatch):
        monkeypatch.setattr(jobs, "LOOK_AGAIN", HOUR)
        self.judge_and_hider(robot, watch)
        assert by(Alert.objects.get()) != ""

    def two_look(self, robot, monkeypatch, settle):
        """Let two hiders look at the same alert before either writes."""
        make(robot, suppressed_by="task:12")
        barrier = Barrier(2, timeout=5)

        def together(pks, now):
            barrier.wait()
            settle(pks, now)

        monkeypatch.setattr(covering, "_settle", together)
        both(lambda: hiding.reconcile(now=NOW), lambda: hiding.reconcile(now=NOW))

    def test_two_who_look_at_once_tell_once(self, robot, heard, monkeypatch):
        self.two_look(robot, monkeypatch, covering._settle)
        assert len(told(heard)) == 1
        assert AlertEvent.objects.filter(kind="unsuppressed").count() == 1

    def test_a_planted_hider_that_writes_what_it_saw_is_caught(self, robot, heard, monkeypatch):
        @transaction.atomic
        def careless(pks, now):
            for alert in Alert.objects.filter(pk__in=pks):
                alert.suppressed_by = "task:12"
                covering._write([alert], dict.fromkeys(pks, ""), now)
                events.publish(news.announced(alert, now, opens_task=True))

        self.two_look(robot, monkeypatch, careless)
        assert len(told(heard)) == 2

    def test_work_that_ends_while_the_judge_raises_hides_nothing_for_long(self, robot, watch, heard):
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW)
        hider = jobs.Hider()
        decided = Event()

        def judge():
            with transaction.atomic():
                hiding.cover([raised(make(robot))], now=NOW)
                decided.set()
                # Long enough for the other, where it need not wait for this transaction.
                Event().wait(0.3)

        def end():
            decided.wait(5)
            hiding.unsuppress(by="task:12")
            hider.work()

        both(judge, end)
        watch.at += jobs.LOOK_AGAIN
        hider.work()
        alert = Alert.objects.get()
        assert (by(alert), told(heard)) == ("", [alert.pk])


class Plant:
    """A gateway with sensors, and what happens to them by chance; it notes of what people were told, and when."""

    def __init__(self, plant, seed, heard) -> None:
        self.chance = random.Random(seed)
        self.heard = heard
        self.now = NOW
        gateway = factories.make_equipment(site=plant)
        self.assets = [gateway, *(factories.make_sensor(site=plant, parent_id=gateway.pk) for _ in range(3))]
        stopped = factories.make_rule()
        self.rules = [stopped, factories.make_rule(inhibited_by=[stopped.pk]), factories.make_rule()]
        self.wrong = []

    def happen(self):
        """Let one thing happen, and hold what was told against what is hidden."""
        self.now += timedelta(seconds=self.chance.choice([1, 20, 70, 400]))
        before = len(self.heard)
        self.chance.choice([self.raise_one] * 4 + [self.end_one, self.take_one, self.work, self.rest, self.silence])()
        for pk in told(self.heard[before:]):
            if Alert.objects.get(pk=pk).suppressed_by:
                self.wrong.append(pk)

    def raise_one(self):
        asset, rule = self.chance.choice(self.assets), self.chance.choice(self.rules)
        identity = {"rule": rule, "asset_id": asset.pk, "is_open": True}
        alert = Alert.objects.filter(**identity).first()
        with transaction.atomic():
            if alert is None:
                severity, condition = self.chance.choice(["low", "high"]), self.chance.choice(["above", "no_data"])
                alert = make(asset, rule=rule, severity=severity, condition=condition)
            Alert.objects.filter(pk=alert.pk).update(active=True, acknowledged_at=None, updated_at=self.now)
            alert.refresh_from_db()
            for fact in hiding.cover([raised(alert, hidden=alert.hidden)], now=self.now):
                events.publish(fact)

    def end_one(self):
        for alert in self.one_of(Alert.objects.filter(active=True)):
            rows = Alert.objects.filter(pk=alert.pk)
            rows.update(active=False, returned_at=self.now, updated_at=self.now, is_open=not alert.acknowledged_at)

    def take_one(self):
        for alert in self.one_of(Alert.objects.filter(active=True, acknowledged_at=None)):
            Alert.objects.filter(pk=alert.pk).update(acknowledged_at=self.now)

    def one_of(self, rows):
        """One by chance, or none where there is none."""
        found = list(rows.order_by("pk"))
        return [self.chance.choice(found)] if found else []

    def work(self):
        asset = self.chance.choice(self.assets)
        hiding.suppress(asset_id=asset.pk, by=f"task:{self.chance.randrange(3)}", starts_at=self.now)

    def rest(self):
        hiding.unsuppress(by=f"task:{self.chance.randrange(3)}")
        hiding.reconcile(now=self.now)

    def silence(self):
        length = timedelta(seconds=self.chance.choice([30, 300, 3000]))
        matchers = self.chance.choice([{}, {"severities": ["low"]}, {"assets": [self.assets[1].pk]}])
        factories.make_silence(starts_at=self.now, ends_at=self.now + length, matchers=matchers)
        hiding.reconcile(now=self.now)

    def calm(self):
        """Let all that hides end."""
        Suppression.objects.all().delete()
        for alert in Alert.objects.filter(active=True, asset=self.assets[0].pk):
            Alert.objects.filter(pk=alert.pk).update(active=False, returned_at=self.now, updated_at=self.now)
        for rule in self.rules[1:]:
            Rule.objects.filter(pk=rule.pk).update(inhibited_by=[])
        self.now += 25 * HOUR
        hiding.reconcile(now=self.now)


@pytest.mark.parametrize("seed", range(8))
class TestChance:
    """Whatever happens in whatever order: nobody is told of what is hidden, and in the end nothing is hidden."""

    def test_tells_of_all_that_stays_and_of_nothing_that_is_hidden(self, plant, seed, heard):
        there = Plant(plant, seed, heard)
        for _ in range(60):
            there.happen()
        there.calm()
        assert there.wrong == []
        assert not Alert.objects.exclude(suppressed_by="").exists()
        waiting = Alert.objects.filter(active=True, acknowledged_at=None)
        assert set(waiting.values_list("pk", flat=True)) <= set(told(heard))

    def test_a_planted_cover_that_forgets_to_say_hidden_is_caught(self, plant, seed, heard, monkeypatch):
        monkeypatch.setattr(covering, "_as_it_is", lambda fact, _: fact)
        there = Plant(plant, seed, heard)
        for _ in range(60):
            there.happen()
        assert there.wrong


class TestJudged:
    def test_what_a_silence_covers_is_told_when_it_ends(self, robot, watch, monkeypatch):
        monkeypatch.setattr(jobs.clock.plant_now, "_source", watch)
        factories.make_rule(open_task={"title": "Cool it"})
        factories.make_route(factories.make_channel())
        factories.make_silence(ends_at=NOW + 3 * HOUR)
        judge, hider = Judge(), jobs.Hider()
        while judge.work():
            pass
        factories.make_reading(robot, temperature=85.0)
        while judge.work():
            pass
        alert = Alert.objects.get()
        assert (alert.state, Delivery.objects.count(), Task.objects.count()) == ("suppressed", 0, 0)
        assert [event.kind for event in alert.events.all()] == ["raised", "suppressed"]
        hider.work()
        assert (tell_due(), Delivery.objects.count()) == (False, 0)
        watch.at += 3 * HOUR
        hider.work()
        assert by(alert) == ""
        tell_due()
        assert [delivery.event for delivery in Delivery.objects.all()] == ["raised"]
        assert Task.objects.get().title == "Cool it"

    def test_whoever_was_told_before_it_was_hidden_hears_when_it_is_over(self, robot, watch, monkeypatch):
        monkeypatch.setattr(jobs.clock.plant_now, "_source", watch)
        factories.make_rule()
        factories.make_route(factories.make_channel())
        judge, hider = Judge(), jobs.Hider()

        def read(value):
            watch.at += MINUTE
            factories.make_reading(robot, at=watch.at, temperature=value)
            hider.work()
            while judge.work():
                pass
            tell_due()

        while judge.work():
            pass
        read(85.0)
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW)
        read(20.0)
        assert [delivery.event for delivery in Delivery.objects.all()] == ["raised"]
        hiding.unsuppress(by="task:12")
        hider.work()
        tell_due()
        assert sorted(delivery.event for delivery in Delivery.objects.all()) == ["raised", "returned"]
        assert (Alert.objects.get().state, Alert.objects.get().is_open) == ("normal", False)


class TestInhibition:
    def test_in_a_circle_is_refused(self, adam):
        first = factories.make_rule()
        second = factories.make_rule(inhibited_by=[first.pk])
        for rule, wish in ((first, [second.pk]), (first, [first.pk])):
            with pytest.raises(InhibitedByItself) as refused:
                alerts.update_rule(
                    rule=rule, by=access_of(adam), changes={"inhibited_by": wish}, expected=None, now=NOW
                )
            assert refused.value.faults[0].pointer == "/inhibited_by"
        alerts.update_rule(rule=second, by=access_of(adam), changes={"inhibited_by": []}, expected=None, now=NOW)
        alerts.update_rule(
            rule=first, by=access_of(adam), changes={"inhibited_by": [second.pk]}, expected=None, now=NOW
        )
        assert Rule.objects.get(pk=first.pk).inhibited_by == [second.pk]


class TestDeletion:
    def test_of_an_asset_takes_its_suppression_along(self, adam, robot):
        hiding.suppress(asset_id=robot.pk, by="task:12", starts_at=NOW)
        assets.delete_asset(asset=robot, by=access_of(adam), confirm=robot.name, expected=None)
        assert not Suppression.objects.exists()
