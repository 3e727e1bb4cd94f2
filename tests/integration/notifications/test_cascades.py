"""Thousands of alerts in one group: one message, which shows the gravest and counts the others."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from techtrack.alerts.models import Alert
from techtrack.notifications import queries, services
from techtrack.notifications.domain.message import MOST_SHOWN
from techtrack.notifications.domain.payload import alertmanager, own
from techtrack.notifications.domain.sms import fit
from techtrack.notifications.models import Delivery, Group, Notice
from tests import factories
from tests.integration.notifications.day import MINUTE, NOW

# 20,000 in a long campaign.
MANY = 2_000 * int(os.environ.get("TECHTRACK_CAMPAIGN", "1"))
LARGE = 700
KIB, MIB = 1 << 10, 1 << 20


def cascade(robot, count, **fields):
    """Write so many alerts, the tenth of them critical; and the notices of all of them, for each route."""
    alerts = [
        Alert(
            asset=robot,
            severity="critical" if number % 10 == 9 else "high",
            title=f"A{number}",
            raised_at=NOW + number * MINUTE / 1000,
            **fields,
            **factories.STAMPS,
        )
        for number in range(count)
    ]
    return Alert.objects.bulk_create(alerts, batch_size=2000)


def notice(alerts, route, event="raised", at=NOW):
    key = f'{{"site":{alerts[0].asset.site_id}}}'
    rows = [
        Notice(route=route, key=key, alert=one, event=event, severity=one.severity, at=at, created_at=at)
        for one in alerts
    ]
    Notice.objects.bulk_create(rows, batch_size=2000)
    while services.sort_notices():
        pass


class TestMessage:
    @pytest.fixture
    def delivery(self, day, robot, make_channel, make_route):
        route = make_route(make_channel("shift"), group_by=["site"])
        alerts = cascade(robot, LARGE)
        notice(alerts, route)
        Alert.objects.filter(title="A7").update(active=False, returned_at=NOW)
        notice([alerts[7]], route, "returned")
        assert len(day.told()) == 1
        return Delivery.objects.get()

    def test_shows_the_gravest_and_counts_the_others(self, delivery):
        assert len(delivery.facts) == MOST_SHOWN + 1
        assert {facts["severity"] for facts in delivery.facts[:-1]} == {"critical"}
        # Of 700 alerts, 70 were critical, and one that was high has returned.
        assert delivery.facts[-1] == {"more": {"critical": 20, "high": 629, "returned": 1}}
        assert delivery.body.startswith(f"{LARGE} alerts, 1 of them returned to normal.\n")
        assert delivery.body.endswith("\nand 650 more: 20 critical, 629 high, 1 returned\n")
        assert delivery.subject == f"[CRITICAL] A9: Robot 1 (Plant) and {LARGE - 1} more"
        assert (delivery.severity, delivery.event) == ("critical", "raised")

    def test_knows_all_it_is_about(self, delivery):
        assert delivery.alerts.count() == LARGE

    def test_reaches_every_transport_cut(self, delivery):
        message = queries.message_of(delivery)
        assert (len(message.facts), message.truncated) == (MOST_SHOWN, LARGE - MOST_SHOWN)
        assert alertmanager(message, public_url="")["truncatedAlerts"] == LARGE - MOST_SHOWN
        assert own(message, "x")["data"]["truncatedAlerts"] == LARGE - MOST_SHOWN
        assert len(alertmanager(message, public_url="")["alerts"]) == MOST_SHOWN
        assert fit(message.short, link=message.link).startswith("[CRITICAL] A9: Robot 1 (Plant) and 699 more")

    def test_is_returned_to_all_of_them_at_once(self, day, delivery):
        group = delivery.group
        day.now = NOW + 10 * MINUTE
        left = Alert.objects.filter(active=True)
        notices = list(left.select_related("asset"))
        left.update(active=False, returned_at=day.now)
        notice(notices, group.route, "returned", at=day.now)
        [told] = day.at(20)
        assert (told[:2], len(told) - 2) == (("shift", "returned"), LARGE - 1)
        assert Delivery.objects.latest("created_at").body.startswith("699 alerts, 699 of them returned to normal.")


class TestMemory:
    def test_is_bounded_however_many_there_are(self, robot, make_channel, make_route):
        route = make_route(make_channel("shift"), make_channel("lead"), group_by=["site"])
        group = Group.objects.create(route=route, key="k", due_at=NOW)
        common = {"route": route, "group": group, "key": "k", "event": "raised", "severity": "high"}
        alerts = cascade(robot, MANY, description="x" * 10_000)
        notices = (Notice(alert=alert, at=NOW, created_at=NOW, **common) for alert in alerts)
        Notice.objects.bulk_create(notices, batch_size=1000)
        del alerts
        tracemalloc.start()
        try:
            assert services.tell_groups(pks=[group.pk], now=NOW) == 2
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # What is said of them alone is five times as much.
        assert peak < 5 * MIB + MANY * 2 * KIB
        assert Delivery.alerts.through.objects.count() == 2 * MANY
