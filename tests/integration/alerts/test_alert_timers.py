"""What time does to alerts, whether or not anything arrives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.queries import access_of
from techtrack.alerts import services
from techtrack.alerts.events import AlertRaised
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.alerts.services import Said, timers
from tests import factories
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
ESCALATION = [{"after": "PT10M", "severity": "high"}, {"after": "PT30M", "severity": "critical"}]


def at(minutes):
    """Let the timers run at that minute until nothing is due."""
    while services.end_due(now=NOW + minutes * MINUTE):
        pass


def told(kind):
    rows = AlertEvent.objects.filter(kind=kind)
    return list(rows.values_list("at", "actor", "before", "after"))


class TestEnds:
    @pytest.mark.parametrize(
        ("name", "kind", "state"),
        [
            ("shelved_until", "unshelved", "shelved"),
            ("out_of_service_until", "returned_to_service", "out_of_service"),
        ],
    )
    def test_come_by_themselves_and_what_is_still_wrong_is_announced(self, robot, olga, heard, name, kind, state):
        rule = factories.make_rule(open_task={"title": "Look"})
        who = name.replace("until", "by")
        alert = factories.make_alert(robot, rule=rule, **{name: NOW + 5 * MINUTE, who: olga})
        at(4)
        assert not heard
        at(6)
        alert.refresh_from_db()
        assert (alert.state, getattr(alert, name), getattr(alert, who), alert.version) == (
            "unacknowledged",
            None,
            None,
            2,
        )
        assert told(kind) == [(NOW + 5 * MINUTE, None, state, "unacknowledged")]
        health, raised, changed = heard
        assert health.worst == "high"
        assert (raised.again, raised.hidden, raised.open_task) == (True, False, {"title": "Look"})
        assert changed.event == kind
        at(7)
        assert len(heard) == 3

    @pytest.mark.parametrize(
        "facts",
        [
            pytest.param({"acknowledged_at": NOW}, id="taken"),
            pytest.param({"suppressed_by": "task:1"}, id="still hidden by something else"),
            pytest.param({"out_of_service_until": NOW + 60 * MINUTE}, id="still out of service"),
        ],
    )
    def test_announce_nothing_that_is(self, robot, heard, facts):
        factories.make_alert(robot, shelved_until=NOW, **facts)
        at(1)
        assert [type(fact).__name__ for fact in heard] == ["AssetHealthChanged", "AlertChanged"]
        assert heard[-1].event == "unshelved"

    def test_say_that_it_is_over_of_what_returned_out_of_sight(self, robot, heard):
        factories.make_alert(robot, shelved_until=NOW, active=False)
        at(1)
        assert [type(fact).__name__ for fact in heard] == ["AssetHealthChanged", "AlertReturned", "AlertChanged"]
        assert (heard[1].at, heard[1].hidden) == (NOW + MINUTE, False)

    def test_of_hundreds_are_done_in_parts(self, robot, monkeypatch):
        monkeypatch.setattr(timers, "MOST_AT_ONCE", 2)
        for _ in range(5):
            factories.make_alert(robot, shelved_until=NOW, out_of_service_until=NOW)
        assert services.end_due(now=NOW)
        at(0)
        assert not Alert.objects.exclude(shelved_until=None).exists()
        assert AlertEvent.objects.filter(kind__in=["unshelved", "returned_to_service"]).count() == 10

    def test_cost_one_query_while_nothing_is_due(self, robot, django_assert_num_queries):
        factories.make_alert(robot, shelved_until=NOW + MINUTE, escalates_at=NOW + MINUTE)
        with django_assert_num_queries(1):
            assert not services.end_due(now=NOW)


class TestEscalation:
    @pytest.fixture
    def rule(self):
        return factories.make_rule(escalation=ESCALATION, open_task={"title": "Look"})

    def test_makes_graver_what_nobody_takes(self, robot, rule, heard):
        alert = factories.make_alert(robot, rule=rule, severity="low", escalates_at=NOW + 10 * MINUTE)
        at(9)
        assert not heard
        # Late, because nobody was there to look: the next stage keeps its time.
        at(12)
        alert.refresh_from_db()
        assert (alert.severity, alert.escalates_at) == ("high", NOW + 30 * MINUTE)
        assert [type(fact).__name__ for fact in heard] == ["AlertRaised", "AssetHealthChanged", "AlertChanged"]
        assert (heard[0].severity, heard[1].worst, heard[2].event) == ("high", "high", "escalated")
        assert (heard[0].again, heard[0].open_task) == (True, None)
        at(30)
        alert.refresh_from_db()
        assert (alert.severity, alert.escalates_at) == ("critical", None)
        assert [row[0] for row in told("escalated")] == [NOW + 10 * MINUTE, NOW + 30 * MINUTE]
        assert AlertEvent.objects.last().evidence == {"before": {"severity": "high"}, "after": {"severity": "critical"}}

    @pytest.mark.parametrize(
        "facts",
        [
            pytest.param({"acknowledged_at": NOW}, id="that is taken"),
            pytest.param({"active": False}, id="that is over"),
            pytest.param({"shelved_until": NOW + 600 * MINUTE}, id="that is shelved"),
            pytest.param({"out_of_service_until": NOW + 600 * MINUTE}, id="that is out of service"),
            pytest.param({"suppressed_by": "rule:3"}, id="that is suppressed"),
        ],
    )
    def test_leaves_alone_an_alert(self, robot, rule, heard, facts):
        factories.make_alert(robot, rule=rule, severity="low", escalates_at=NOW, **facts)
        at(60)
        assert Alert.objects.get().severity == "low"
        assert not heard

    def test_begins_when_it_comes_back_into_sight(self, robot, rule, heard):
        alert = factories.make_alert(robot, rule=rule, severity="low", escalates_at=NOW, shelved_until=NOW + MINUTE)
        at(1)
        alert.refresh_from_db()
        assert (alert.severity, alert.shelved_until) == ("high", None)

    def test_is_stopped_by_an_acknowledgement_and_begins_anew_when_that_is_taken_back(self, robot, rule, olga):
        alert = factories.make_alert(robot, rule=rule, severity="low", escalates_at=NOW + 10 * MINUTE)
        for action, expected in (("acknowledge", None), ("unacknowledge", NOW + 15 * MINUTE)):
            now = NOW + 5 * MINUTE
            services.act(alert=alert, action=action, said=Said(), by=access_of(olga), expected=None, now=now)
            alert.refresh_from_db()
            assert alert.escalates_at == expected

    @pytest.mark.parametrize("edit", ["deleted", "eased"])
    def test_ends_with_the_stages_of_its_rule(self, robot, rule, heard, edit):
        alert = factories.make_alert(robot, rule=rule, severity="low", escalates_at=NOW)
        if edit == "deleted":
            rule.delete()
        else:
            rule.escalation = []
            rule.save()
        at(1)
        alert.refresh_from_db()
        assert (alert.severity, alert.escalates_at) == ("low", None)
        assert not any(isinstance(fact, AlertRaised) for fact in heard)
