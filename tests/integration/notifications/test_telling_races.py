"""Tellers side by side, and tellers that die: no notice is lost, and none is told twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from techtrack.alerts import services as alerts
from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.notifications import jobs, queries, services
from techtrack.notifications.models import Delivery, Group, Notice
from techtrack.notifications.services import teller
from tests import factories

pytestmark = pytest.mark.usefixtures("transactional_db")
ALERTS = 30


class PowerCutError(BaseException):
    pass


@pytest.fixture
def raised(make_alert, make_channel, make_route):
    """Thirty alerts are to be told by two routes, one of them in groups of an asset."""
    make_route(make_channel("each"))
    make_route(make_channel("grouped"), group_by=["asset"])
    for number in range(ALERTS):
        alert = make_alert(title=f"A{number}", asset=factories.make_equipment(f"E{number % 3}"))
        now = clock.now()
        services.enqueue_for_alert(alert_id=alert.pk, event="raised", at=now, now=now, plant_now=now)


def side_by_side(work, count=2):
    start = threading.Barrier(count)

    def run():
        start.wait()
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(count)]]


def told(channel):
    """How often each alert was told to a channel."""
    links = Delivery.alerts.through.objects.filter(delivery__channel__name=channel)
    counts = {}
    for title in links.values_list("alert__title", flat=True):
        counts[title] = counts.get(title, 0) + 1
    return counts


ONCE = {f"A{number}": 1 for number in range(ALERTS)}


def sort_all():
    while services.sort_notices():
        pass


def tell_all():
    for _ in range(5):
        jobs.tell_due()


class TestTellers:
    def test_side_by_side_tell_each_notice_once(self, raised):
        side_by_side(tell_all, 3)
        assert told("each") == told("grouped") == ONCE
        assert not Notice.objects.filter(told_at=None).exists()
        assert Group.objects.filter(route__group_by=[]).count() == ALERTS

    def test_side_by_side_make_one_channel_for_a_person(self, make_alert, make_route, olga):
        make_route(people=[olga.pk])
        for _ in range(10):
            alert, now = make_alert(), clock.now()
            services.enqueue_for_alert(alert_id=alert.pk, event="raised", at=now, now=now, plant_now=now)
        side_by_side(tell_all, 3)
        # A teller that lost the race for the channel has put its groups off by a minute, and nothing was told twice.
        jobs.tell(now=clock.now() + 2 * teller.PUT_OFF)
        assert olga.access()
        assert Delivery.objects.count() == 10
        assert len(set(Delivery.objects.values_list("channel", flat=True))) == 1

    @pytest.mark.parametrize("place", ["_write", "announce_all"])
    def test_killed_before_the_commit_leave_all_to_the_next(self, raised, monkeypatch, place):
        def cut(*_):
            raise PowerCutError

        sort_all()
        with monkeypatch.context() as patch:
            patch.setattr(teller, place, cut)
            with pytest.raises(PowerCutError):
                services.tell_groups(pks=queries.groups_due(clock.now()), now=clock.now())
        assert (Delivery.objects.count(), Notice.objects.filter(told_at=None).count()) == (0, 2 * ALERTS)
        tell_all()
        assert told("each") == told("grouped") == ONCE

    def test_that_mark_before_they_write_are_caught(self, raised, monkeypatch):
        """The planted bug: marks in a transaction of their own lose what the killed teller held."""

        def marked_first(*, pks, now):
            Notice.objects.filter(group__in=pks).update(told_at=now)
            raise PowerCutError

        sort_all()
        with monkeypatch.context() as patch:
            patch.setattr(services, "tell_groups", marked_first)
            with pytest.raises(PowerCutError):
                jobs.tell_due()
        tell_all()
        assert told("each") != ONCE


class TestDigests:
    def test_side_by_side_are_made_once(self, make_alert, make_channel):
        channel = make_channel("olga")
        for _ in range(20):
            row = factories.make_delivery(channel, state="held", severity="low", alert=make_alert())
            row.alerts.add(row.alert_id)
        side_by_side(tell_all)
        digest = Delivery.objects.get(event="digest")
        assert digest.alerts.count() == 20
        assert Delivery.objects.filter(state="merged", merged_into=digest).count() == 20


class TestDeletion:
    def test_of_alerts_while_they_are_told_stops_nobody(self, raised, adam):

        def delete_some():
            for alert in Alert.objects.order_by("pk")[: ALERTS // 2]:
                alerts.delete_alert(alert=alert, by=adam.access(), expected=None)

        deleting = threading.Thread(target=lambda: (delete_some(), connections.close_all()))
        deleting.start()
        side_by_side(tell_all)
        deleting.join(20)
        # Whoever met a deletion has put its groups off by a minute.
        jobs.tell(now=clock.now() + 2 * teller.PUT_OFF)
        left = set(Alert.objects.values_list("title", flat=True))
        assert len(left) == ALERTS - ALERTS // 2
        for channel in ("each", "grouped"):
            counts = told(channel)
            assert {title: counts.get(title) for title in left} == dict.fromkeys(left, 1)


class TestRetention:
    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
    def test_takes_no_notice_along_that_is_just_put_into_its_group(self, make_channel, make_route):
        route = make_route(make_channel("shift"))
        group = Group.objects.create(route=route, key="k")
        with transaction.atomic():
            # As one who sorts does at this moment.
            Group.objects.select_for_update().get(pk=group.pk)
            assert side_by_side(lambda: services.forget_old(now=clock.now()), count=1) == [0]
        assert services.forget_old(now=clock.now()) == 1
