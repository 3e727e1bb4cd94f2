"""The facts of alerts: one word for every combination, and what the judge makes of them."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta
from itertools import product

import pytest
from django.db import transaction

from techtrack.accounts.queries import access_of
from techtrack.alerts import services
from techtrack.alerts.api.filters import STATE_FACTS, STATUS_FACTS
from techtrack.alerts.domain.lifecycle import Change, Transition
from techtrack.alerts.events import AlertChanged, AlertRaised, AlertReturned
from techtrack.alerts.models import STATES, STATUSES, Alert, AlertEvent
from techtrack.alerts.recording import Finding, hold_rules, record
from techtrack.alerts.rulebook import RuleBook
from techtrack.alerts.services import Said
from techtrack.core import clock, events
from techtrack.core.clock import to_micros
from techtrack.core.errors import Conflict
from techtrack.notifications.jobs import tell_due
from techtrack.notifications.models import Delivery
from techtrack.tasks.models import Task
from tests import factories
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
LATER = NOW + timedelta(hours=1)
FACTS = {
    "active": [True, False],
    "is_open": [True, False],
    "latched": [True, False],
    "acknowledged_at": [None, NOW],
    "shelved_until": [None, LATER],
    "out_of_service_until": [None, LATER],
    "suppressed_by": ["", "rule:4"],
    "late": [True, False],
}


class TestState:
    def test_of_every_combination_of_facts_is_found_by_its_filter_and_no_other(self, robot):
        stamps = {"asset_id": robot.pk, "severity": "low", "raised_at": NOW, **factories.STAMPS}
        made = [Alert(**stamps, **dict(zip(FACTS, values, strict=True))) for values in product(*FACTS.values())]
        Alert.objects.bulk_create(made)
        alerts = list(Alert.objects.all())
        assert {alert.state for alert in alerts} == set(STATES) == set(STATE_FACTS)
        for state, facts in STATE_FACTS.items():
            found = set(Alert.objects.filter(facts))
            assert found == {alert for alert in alerts if alert.state == state}, state
        assert set(STATUSES) == set(STATUS_FACTS)
        for status, facts in STATUS_FACTS.items():
            assert set(Alert.objects.filter(facts)) == {alert for alert in alerts if alert.status == status}, status

    @pytest.mark.parametrize(
        ("query", "facts"),
        [
            ("shelved=true", {"shelved_until": LATER}),
            ("state=shelved", {"shelved_until": LATER}),
            ("suppressed=true", {"suppressed_by": "task:12"}),
            ("suppressed_by=task:12", {"suppressed_by": "task:12"}),
            ("out_of_service=true", {"out_of_service_until": LATER}),
            ("latched=true", {"latched": True, "active": False}),
            ("state=latched", {"latched": True, "active": False}),
            ("late=true", {"late": True}),
            ("revision=3", {"revision": 3}),
            ("condition=flatline", {"condition": "flatline"}),
            ("escalates_before=2026-11-21T12:00:00Z", {"escalates_at": LATER}),
        ],
    )
    def test_and_facts_narrow_the_list(self, api, vera, robot, query, facts):
        wanted = factories.make_alert(robot, **facts)
        factories.make_alert(robot)
        assert [row["id"] for row in api(vera).get(f"/api/alerts/?{query}").json()["results"]] == [wanted.pk]
        name, value = query.split("=")
        if value == "true":
            assert api(vera).get(f"/api/alerts/?{name}=false").json()["count"] == 1


@pytest.fixture
def judged(robot):
    """``judged(rule, (change, minute), …)``: what the judge found of the robot, recorded; returns the facts."""

    def run(rule, *found, value=85.0):
        entry = next(entry for entry in RuleBook.load().entries if entry.rule_id == rule.pk)
        findings = [
            Finding(entry, robot.pk, Transition(change, *_span(minutes), 0, value, **_since(minutes)))
            for change, minutes in found
        ]
        with transaction.atomic():
            assert hold_rules(findings, others=[])
            return record(findings, now=NOW, position=7)

    return run


def _span(minutes):
    return [to_micros(NOW + MINUTE * (minutes[1] if isinstance(minutes, tuple) else minutes))]


def _since(minutes):
    return {"since": to_micros(NOW + MINUTE * minutes[0])} if isinstance(minutes, tuple) else {}


RAISED, RETURNED, PAST = Change.RAISED, Change.RETURNED, Change.PAST


def act(alert, action, person, **said):
    said = Said(said.get("comment", "because"), said.get("until", NOW + timedelta(hours=1)))
    return services.act(alert=alert, action=action, said=said, by=access_of(person), expected=None, now=NOW)


class TestRaised:
    def test_says_what_rule_and_condition_and_where_in_the_log(self, judged):
        judged(factories.make_rule(revision=4), (RAISED, 1))
        alert = Alert.objects.get()
        assert (alert.revision, alert.condition, alert.limit) == (4, "above", 80.0)
        event = AlertEvent.objects.get()
        assert (event.kind, event.before, event.after, event.position) == ("raised", "", "unacknowledged", 7)
        judged(factories.make_rule(name="other"), (RAISED, 1), (RETURNED, 2))
        told = AlertEvent.objects.exclude(pk=event.pk).values_list("kind", "before", "after")
        assert list(told) == [
            ("raised", "", "unacknowledged"),
            ("returned", "unacknowledged", "returned_unacknowledged"),
        ]

    @pytest.mark.parametrize(
        ("returned", "again"),
        [pytest.param(29, True, id="within the window"), pytest.param(31, False, id="after it")],
    )
    def test_takes_up_what_returned_a_moment_ago(self, judged, olga, returned, again):
        rule = factories.make_rule(reraise_window=30 * MINUTE)
        judged(rule, (RAISED, 0))
        act(Alert.objects.get(), "acknowledge", olga)
        judged(rule, (RETURNED, 1))
        assert not Alert.objects.get().is_open
        facts = judged(rule, (RAISED, 1 + returned))
        assert Alert.objects.count() == (1 if again else 2)
        newest = Alert.objects.latest("pk")
        assert (newest.is_open, newest.active, newest.acknowledged_at) == (True, True, None)
        assert newest.occurrences == (2 if again else 1)
        assert [fact.again for fact in facts if isinstance(fact, AlertRaised)] == [again]

    def test_begins_a_new_one_where_no_window_is_set(self, judged, olga):
        rule = factories.make_rule()
        judged(rule, (RAISED, 0))
        act(Alert.objects.get(), "acknowledge", olga)
        judged(rule, (RETURNED, 1), (RAISED, 1))
        assert list(Alert.objects.order_by("pk").values_list("is_open", "occurrences")) == [(False, 1), (True, 1)]

    def test_of_chatter_tells_once_and_records_each(self, judged):
        facts = judged(factories.make_rule(), (RAISED, 0), (RETURNED, 1), (RAISED, 2), (RETURNED, 3), (RAISED, 4))
        assert [type(fact).__name__ for fact in facts] == ["AlertRaised", "AlertChanged", "AssetHealthChanged"]
        assert (Alert.objects.get().occurrences, AlertEvent.objects.count()) == (3, 5)

    def test_tells_that_it_returned_where_it_ended_so(self, judged):
        facts = judged(factories.make_rule(), (RAISED, 0), (RETURNED, 1), (RAISED, 2), (RETURNED, 3))
        told = [fact for fact in facts if isinstance(fact, (AlertRaised, AlertReturned))]
        assert [(type(fact).__name__, fact.at) for fact in told] == [
            ("AlertRaised", NOW),
            ("AlertReturned", NOW + 3 * MINUTE),
        ]
        assert [fact.event for fact in facts if isinstance(fact, AlertChanged)] == ["raised", "returned"]


class TestLatching:
    def test_keeps_open_what_has_returned_until_somebody_has_taken_and_reset_it(self, judged, olga):
        rule = factories.make_rule(latched=True)
        judged(rule, (RAISED, 0))
        act(Alert.objects.get(), "acknowledge", olga)
        judged(rule, (RETURNED, 1))
        alert = Alert.objects.get()
        assert (alert.state, alert.is_open) == ("latched", True)
        judged(rule, (RAISED, 2))
        alert.refresh_from_db()
        assert (alert.state, alert.latched, alert.occurrences) == ("unacknowledged", False, 2)
        judged(rule, (RETURNED, 3))
        act(alert, "reset", olga)
        assert Alert.objects.get().state == "returned_unacknowledged"
        act(alert, "acknowledge", olga)
        assert not Alert.objects.get().is_open

    def test_is_for_the_rule_to_end_and_not_for_a_person(self, api, adam, olga, judged):
        judged(factories.make_rule(), (RAISED, 0))
        url = f"/api/alerts/{Alert.objects.get().pk}/"
        for answer in (api(olga).patch(url, {"active": False}, format="json"), api(adam).delete(url)):
            assert (answer.status_code, answer.json()["code"]) == (409, "alert_of_a_rule")
        assert Alert.objects.get().active

    def test_keeps_what_a_put_does_not_name(self, api, olga, judged):
        judged(factories.make_rule(), (RAISED, 0))
        before = Alert.objects.get()
        assert api(olga).put(f"/api/alerts/{before.pk}/", {"description": "Noted"}, format="json").status_code == 200
        after = Alert.objects.get()
        assert (after.title, after.severity, after.description) == (before.title, before.severity, "Noted")


class TestPuttingAside:
    @pytest.mark.parametrize(
        ("action", "state"), [("shelve", "shelved"), ("out-of-service", "out_of_service")], ids=["shelf", "service"]
    )
    def test_holds_for_the_next_alert_of_its_kind(self, judged, erik, action, state):
        rule = factories.make_rule(open_task={"title": "Look"})
        judged(rule, (RAISED, 0))
        act(Alert.objects.get(), action, erik)
        act(Alert.objects.get(), "acknowledge", erik)
        facts = judged(rule, (RETURNED, 1), (RAISED, 2))
        assert [fact.hidden for fact in facts if isinstance(fact, (AlertRaised, AlertReturned))] == [True, True]
        heir = Alert.objects.latest("pk")
        assert (heir.occurrences, heir.state) == (1, state)
        assert heir.shelve_reason + heir.out_of_service_reason == "because"
        assert (heir.shelved_by or heir.out_of_service_by) == erik

    def test_that_is_over_is_not_passed_on(self, judged, erik):
        rule = factories.make_rule()
        judged(rule, (RAISED, 0))
        act(Alert.objects.get(), "acknowledge", erik)
        Alert.objects.update(shelved_until=NOW)
        facts = judged(rule, (RETURNED, 1), (RAISED, 2))
        assert Alert.objects.latest("pk").state == "unacknowledged"
        assert [fact.hidden for fact in facts if isinstance(fact, AlertRaised)] == [False]

    def test_lets_nobody_be_told(self, judged, erik, monkeypatch):
        monkeypatch.setattr(clock.plant_now, "_source", lambda: NOW)
        factories.make_route(factories.make_channel())
        rule = factories.make_rule(open_task={"title": "Look"})
        for fact in judged(rule, (RAISED, 0)):
            events.publish(fact)
        tell_due()
        assert (Delivery.objects.count(), Task.objects.count()) == (1, 1)
        Task.objects.all().delete()
        act(Alert.objects.get(), "shelve", erik)
        for fact in judged(rule, (RETURNED, 1), (RAISED, 2)):
            events.publish(fact)
        tell_due()
        assert (Delivery.objects.count(), Task.objects.count()) == (1, 0)


class TestPast:
    def test_is_recorded_as_over_and_told_to_nobody(self, judged):
        facts = judged(factories.make_rule(), (PAST, (-30, -20)))
        alert = Alert.objects.get()
        assert (alert.late, alert.active, alert.is_open, alert.state) == (True, False, False, "normal")
        assert (alert.raised_at, alert.returned_at) == (NOW - 30 * MINUTE, NOW - 20 * MINUTE)
        assert [type(fact).__name__ for fact in facts] == ["AlertChanged"]
        assert list(AlertEvent.objects.values_list("kind", "at", "position")) == [
            ("raised", alert.raised_at, 7),
            ("returned", alert.returned_at, 7),
        ]

    @pytest.mark.parametrize(
        ("span", "written"),
        [
            pytest.param((-5, 5), False, id="overlaps its beginning"),
            pytest.param((5, 6), False, id="lies within"),
            pytest.param((8, 12), False, id="overlaps its end"),
            pytest.param((-9, -1), True, id="is before"),
            pytest.param((11, 12), True, id="is after"),
        ],
    )
    def test_is_not_recorded_twice(self, judged, span, written):
        rule = factories.make_rule()
        judged(rule, (RAISED, 0), (RETURNED, 10))
        judged(rule, (PAST, span))
        assert Alert.objects.filter(late=True).exists() == written

    def test_is_not_what_the_next_raise_takes_up(self, judged):
        rule = factories.make_rule(reraise_window=60 * MINUTE)
        judged(rule, (PAST, (-30, -20)), (RAISED, 0))
        assert list(Alert.objects.order_by("raised_at").values_list("late", "active")) == [(True, False), (False, True)]


@pytest.mark.parametrize("seed", range(6))
class TestAnything:
    """Whatever people, the judge and time do, in whatever order."""

    def test_leaves_facts_that_agree_and_a_history_without_gap(self, seed, judged, erik):
        rule = walked(random.Random(seed), judged, erik)
        alerts = Alert.objects.filter(rule=rule)
        assert alerts.filter(is_open=True).count() <= 1
        for alert in alerts:
            assert alert.is_open == (alert.active or alert.latched or alert.acknowledged_at is None)
            assert broken(alert) == []

    def test_a_step_that_was_not_recorded_is_seen(self, seed, judged, erik):
        """The planted bug: an event is missing."""
        rule = walked(random.Random(seed), judged, erik)
        alert = Alert.objects.filter(rule=rule).earliest("pk")
        assert not broken(alert)
        next(event for event in alert.events.all() if event.before != event.after).delete()
        assert broken(alert)


def walked(dice, judged, person):
    """Let a hundred things happen to the alerts of a rule; return it."""
    escalation = [{"after": "PT2M", "severity": "critical"}]
    rule = factories.make_rule(latched=dice.random() < 0.5, reraise_window=3 * MINUTE, escalation=escalation)
    firing = False
    for minute in range(100):
        now = NOW + minute * MINUTE
        if minute < 2 or dice.random() < 0.3:
            firing = not firing
            judged(rule, (RAISED if firing else RETURNED, minute))
        alert, said = Alert.objects.latest("pk"), Said("because", now + dice.randint(1, 9) * MINUTE)
        action = dice.choice([name for name in services.ACTIONS if name != "assign"])
        with contextlib.suppress(Conflict):
            services.act(alert=alert, action=action, said=said, by=access_of(person), expected=None, now=now)
        services.end_due(now=now)
    return rule


def broken(alert):
    """The events of an alert that do not begin where the one before ended, and where the last does not end."""
    last, found = "", []
    for event in alert.events.order_by("pk"):
        found += [event] if event.before != last else []
        last = event.after
    return found + ([alert] if last != alert.state else [])
