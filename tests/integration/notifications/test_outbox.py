"""Who is told of an alert, and that the outbox commits with its cause."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest
from django.db import transaction

from techtrack.alerts.events import AlertRaised
from techtrack.alerts.models import Alert, Rule
from techtrack.assets.models import Parameter
from techtrack.core import events
from techtrack.notifications import services
from techtrack.notifications.events import DeliveriesQueued, NoticesWritten
from techtrack.notifications.models import Delivery
from tests import factories


class PlugPulledError(Exception):
    pass


class TestEnqueue:
    def test_writes_one_delivery_per_channel_however_many_routes_lead_there(
        self, make_alert, make_channel, make_route, enqueue, plant
    ):
        shift, lead = make_channel("shift"), make_channel("lead")
        make_route(shift)
        make_route(shift, lead, site=plant, minimum_severity="high")
        queued = enqueue(make_alert())
        assert sorted(row.channel.name for row in queued) == ["lead", "shift"]
        assert {(row.state, row.attempts, row.event) for row in queued} == {("pending", 0, "raised")}

    def test_asks_type_tags_severity_and_site(self, make_alert, make_channel, make_route, enqueue, other_site):
        wanted, unwanted = make_channel("wanted"), make_channel("unwanted")
        asset = factories.make_equipment(type=factories.make_type("pump"), tags=["cnc"])
        make_route(wanted, asset_type=factories.make_type("pump"), tags=["cnc"], minimum_severity="high")
        make_route(unwanted, asset_type=factories.make_type("robot"))
        make_route(unwanted, tags=["cnc", "hall-3"])
        make_route(unwanted, minimum_severity="critical")
        make_route(unwanted, site=other_site)
        assert [row.channel for row in enqueue(make_alert(asset=asset))] == [wanted]

    def test_leaves_out_what_is_switched_off(self, make_alert, make_channel, make_route, enqueue):
        make_route(make_channel("off", enabled=False))
        make_route(make_channel("on"), enabled=False)
        assert enqueue(make_alert()) == []

    def test_says_what_where_value_limit_unit_and_link(
        self, make_alert, make_channel, make_route, enqueue, robot, settings
    ):
        settings.PUBLIC_URL = "https://plant.example"
        Parameter.objects.create(code="temperature", unit="Cel", **factories.STAMPS)
        robot.attributes = {"replayed": "replayed, measured 2004", "simulated": True}
        robot.save()
        rule = Rule.objects.create(
            name="Hot", parameter="temperature", conditions=[], guidance={"action": "Cool it."}, **factories.STAMPS
        )
        make_route(make_channel("shift"))
        alert = make_alert(rule=rule)
        (delivery,) = enqueue(alert)
        assert delivery.subject == "[HIGH] Too hot: Robot 1 (Plant)"
        for line in (
            "Site:      Plant",
            "Asset:     Robot 1",
            "Value:     91.5 Cel",
            "Limit:     80 Cel",
            "Since:     2026-11-21 11:00:00 CET",
            "Data:      simulated; replayed, measured 2004",
            "To do:     Cool it.",
            f"Open it:   https://plant.example/alerts/{alert.pk}/",
        ):
            assert f"{line}\n" in delivery.body

    def test_takes_the_unit_that_the_type_has(self, make_alert, make_channel, make_route, enqueue, robot):
        Parameter.objects.create(code="temperature", unit="Cel", **factories.STAMPS)
        robot.type.parameters = [{"code": "speed"}, {"code": "temperature", "unit": "K"}]
        robot.type.save()
        make_route(make_channel("shift"))
        assert "91.5 K\n" in enqueue(make_alert())[0].body

    def test_falls_back_to_utc_where_the_zone_is_unknown(self, make_alert, make_channel, make_route, enqueue, plant):
        plant.timezone = "Mars/Olympus"
        plant.save()
        make_route(make_channel("shift"))
        assert "2026-11-21 10:00:00 UTC\n" in enqueue(make_alert())[0].body

    def test_tells_of_the_return_only_those_who_were_told_of_the_raise(
        self, make_alert, make_channel, make_route, enqueue
    ):
        told, late = make_channel("told"), make_channel("late")
        make_route(told)
        alert = make_alert()
        enqueue(alert)
        make_route(late)
        Alert.objects.filter(pk=alert.pk).update(active=False, returned_at=factories.NOW)
        (delivery,) = enqueue(alert, "returned")
        assert delivery.channel == told
        assert delivery.subject.startswith("[returned, was high]")
        assert "Returned:  2026-11-21 11:00:00 CET\n" in delivery.body

    def test_tells_nobody_of_the_past(self, make_alert, make_channel, make_route, enqueue):
        make_route(make_channel("shift"))
        limit = factories.NOW - services.NOTIFY_MAX_AGE
        assert enqueue(make_alert(), at=limit - timedelta(microseconds=1)) == []
        assert len(enqueue(make_alert(), at=limit)) == 1

    def test_announces_that_there_is_something_to_send(
        self, make_alert, make_channel, make_route, enqueue, monkeypatch
    ):
        facts = []
        monkeypatch.setattr(events, "publish", facts.append)
        alert = make_alert()
        enqueue(alert)
        make_route(make_channel("shift"))
        enqueue(alert)
        told = [fact for fact in facts if isinstance(fact, NoticesWritten | DeliveriesQueued)]
        assert told == [NoticesWritten(alert_id=alert.pk, count=1), DeliveriesQueued(count=1)]


class TestTransaction:
    @pytest.fixture
    def heard_together(self, monkeypatch, enqueue):
        """Connect the outbox to raised alerts as pipeline.py does, for this test alone."""
        heard = defaultdict(list, {AlertRaised: [lambda fact: enqueue(Alert(pk=fact.alert_id))]})
        monkeypatch.setattr(events, "_together", heard)
        monkeypatch.setattr(events, "_after", defaultdict(list))

    def raise_alert(self, make_alert):
        alert = make_alert()
        events.publish(AlertRaised(alert.pk, alert.asset_id, alert.asset.site_id, "high", factories.NOW))

    @pytest.mark.usefixtures("transactional_db", "heard_together")
    def test_keeps_the_delivery_with_its_cause(self, make_alert, make_channel, make_route):
        make_route(make_channel("shift"))
        with transaction.atomic():
            self.raise_alert(make_alert)
        assert (Alert.objects.count(), Delivery.objects.count()) == (1, 1)

    @pytest.mark.usefixtures("transactional_db", "heard_together")
    def test_takes_the_delivery_back_with_its_cause(self, make_alert, make_channel, make_route):
        make_route(make_channel("shift"))

        @transaction.atomic
        def pull_the_plug():
            self.raise_alert(make_alert)
            assert Delivery.objects.count() == 1
            raise PlugPulledError

        with pytest.raises(PlugPulledError):
            pull_the_plug()
        assert (Alert.objects.count(), Delivery.objects.count()) == (0, 0)
