"""Telling holds up nobody who judges, and meets those who delete without a deadlock (PostgreSQL)."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection, connections, transaction

from techtrack.accounts import services as accounts
from techtrack.alerts import services as alerts
from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.notifications import queries, services
from techtrack.notifications.models import Delivery, Group, Notice, Route
from techtrack.notifications.services import holding, teller
from tests import factories

pytestmark = [
    pytest.mark.usefixtures("transactional_db"),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


class Aside(threading.Thread):
    """Work with a connection of its own; ``end`` returns what it returned, or raises what it raised."""

    def __init__(self, work) -> None:
        super().__init__(daemon=True)
        self._work, self._found, self._error = work, None, None
        self.start()

    def run(self):
        try:
            self._found = self._work()
        except Exception as error:  # noqa: BLE001 - raised again at the end
            self._error = error
        finally:
            connections.close_all()

    def end(self):
        self.join(30)
        assert not self.is_alive(), "it never ended"
        if self._error:
            raise self._error
        return self._found


def somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


def until(look):
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


@pytest.fixture
def halted(monkeypatch):
    """``halted(module, name)``: who calls it stops there, until told to go on."""
    there, on = threading.Event(), threading.Event()

    def halt(module, name):
        whole = getattr(module, name)

        def stop(*given, **named):
            there.set()
            assert on.wait(30)
            return whole(*given, **named)

        monkeypatch.setattr(module, name, stop)
        return there, on

    yield halt
    on.set()


def enqueue(alert, event="raised"):
    now = clock.now()
    return services.enqueue_for_alert(alert_id=alert.pk, event=event, at=now, now=now, plant_now=now)


def tell():
    return services.tell_groups(pks=queries.groups_due(clock.now()), now=clock.now())


class TestJudging:
    @pytest.mark.parametrize("name", ["_write", "announce_all"])
    def test_waits_for_no_teller(self, make_alert, make_channel, make_route, halted, name):
        route = make_route(make_channel("shift"), group_by=["site"])
        alert = make_alert()
        enqueue(alert)
        services.sort_notices()
        there, on = halted(teller, name)
        telling = Aside(tell)
        assert there.wait(30)
        # As the judge does: it locks the alert, writes that it is over, and the notice of that.
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '2s'")
            held = Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)
            Alert.objects.filter(pk=held.pk).update(active=False, returned_at=clock.now())
            assert [one.route_id for one in enqueue(held, "returned")] == [route.pk]
        on.set()
        assert telling.end() == 1
        assert set(Notice.objects.values_list("event", flat=True)) == {"raised", "returned"}


class TestDeletion:
    @pytest.fixture
    def scene(self, make_alert, make_channel, make_route, plant, other_site, olga, robot):
        """A route of a site that can go tells a channel of that site, one that is shared, and olga."""
        factories.make_channel(owner=olga, name="olga")
        make_route(make_channel("shift"), people=[olga.pk], group_by=["rule"])
        make_route(make_channel("there"), name="R", site=other_site, group_by=["rule"])
        robot.site = other_site
        robot.save()
        one = make_alert(title="A", acknowledged_by=olga)
        enqueue(one)
        robot.site = plant
        robot.save()
        services.sort_notices()
        return one

    def deletions(self, scene, adam, olga, other_site):
        by = adam.access()
        Alert.objects.filter(pk=scene.pk)
        return {
            "user": lambda: accounts.delete_user(user=olga, by=by, expected=None, now=clock.now()),
            "site": lambda: accounts.delete_site(site=other_site, by=by, expected=None, now=clock.now()),
            "route": lambda: services.delete_route(route=Route.objects.get(name="R"), by=by, expected=1),
            "alert": lambda: alerts.delete_alert(alert=scene, by=by, expected=None),
        }

    @pytest.mark.parametrize("what", ["user", "site", "route", "alert"])
    @pytest.mark.parametrize("name", ["_write", "announce_all"])
    def test_waits_for_the_teller_and_ends(self, scene, adam, olga, other_site, halted, what, name):
        delete = self.deletions(scene, adam, olga, other_site)[what]
        there, on = halted(teller, name)
        telling = Aside(tell)
        assert there.wait(30)
        deleting = Aside(delete)
        until(lambda: somebody_waits() or not deleting.is_alive())
        on.set()
        assert telling.end() >= 1
        deleting.end()
        assert not Notice.objects.filter(told_at=None).exists()

    @pytest.mark.parametrize("what", ["user", "site", "route", "alert"])
    def test_under_way_is_waited_for_or_passed_over(self, scene, adam, olga, other_site, halted, what):
        """The teller comes while somebody deletes, who has locked what goes and not committed yet."""
        delete = self.deletions(scene, adam, olga, other_site)[what]
        done, on = threading.Event(), threading.Event()

        @transaction.atomic
        def slowly():
            delete()
            done.set()
            assert on.wait(30)

        deleting = Aside(slowly)
        until(lambda: done.is_set() or not deleting.is_alive())
        telling = Aside(tell)
        until(lambda: somebody_waits() or not telling.is_alive())
        on.set()
        deleting.end()
        telling.end()
        while tell():
            pass
        left = set(Delivery.objects.values_list("channel__name", flat=True))
        gone = {"user": {"olga"}, "site": {"there"}, "route": {"there"}, "alert": {"there", "shift", "olga"}}[what]
        assert left == {"there", "shift", "olga"} - gone
        assert not Group.objects.filter(due_at__lte=clock.now()).exclude(route__name="R").exists()


class TestDigest:
    @pytest.mark.parametrize("what", ["user", "alert"])
    def test_meets_a_deletion(self, make_alert, olga, adam, halted, what):
        channel = factories.make_channel(owner=olga, name="olga")
        alert = make_alert()
        for _ in range(2):
            row = factories.make_delivery(channel, state="held", severity="low", alert=alert, person=olga)
            row.alerts.add(alert)
        there, on = halted(holding, "announce_all")
        letting_go = Aside(lambda: services.release_held(channel=channel.pk, now=clock.now()))
        assert there.wait(30)
        if what == "user":
            deleting = Aside(lambda: accounts.delete_user(user=olga, by=adam.access(), expected=None, now=clock.now()))
        else:
            deleting = Aside(lambda: alerts.delete_alert(alert=alert, by=adam.access(), expected=None))
        until(lambda: somebody_waits() or not deleting.is_alive())
        on.set()
        assert letting_go.end() == 2
        deleting.end()


class TestHeldByTheOldLock:
    def test_is_caught(self, make_alert, make_channel, make_route, halted, monkeypatch):
        """The planted bug: alerts locked as whoever changes them does hold up the judge."""
        make_route(make_channel("shift"))
        alert = make_alert()
        enqueue(alert)
        services.sort_notices()
        whole = teller.keep_alerts_of

        def lock(groups):
            whole(groups)
            list(Alert.objects.select_for_update(no_key=True))

        monkeypatch.setattr(teller, "keep_alerts_of", lock)
        there, on = halted(teller, "_write")
        telling = Aside(tell)
        assert there.wait(30)
        judging = Aside(lambda: Alert.objects.filter(pk=alert.pk).update(value=1.0))
        until(somebody_waits)
        assert judging.is_alive()
        on.set()
        telling.end()
        judging.end()
