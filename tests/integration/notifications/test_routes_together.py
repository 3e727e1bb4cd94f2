"""Several routes lead to one channel: it is told once of each alert, and hears of its return if any of them says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.alerts.models import Alert
from techtrack.notifications import jobs, services
from techtrack.notifications.models import Delivery, Rota
from tests import factories
from tests.integration.notifications.day import MINUTE, NOW


@pytest.fixture(params=[1, 10], ids=["in parts", "in one"])
def at_once(request, monkeypatch):
    """Groups are told one by one, or in one transaction."""
    monkeypatch.setattr(jobs, "AT_ONCE", request.param)


@pytest.mark.usefixtures("at_once")
class TestReturned:
    @pytest.mark.parametrize("tells", [(False, True), (True, False), (True, True)])
    def test_is_told_if_any_route_tells_it(self, day, make_alert, make_channel, make_route, tells):
        shift = make_channel("shift")
        for one in tells:
            make_route(shift, tell_returned=one)
        alert = make_alert(title="Hot")
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]
        day.now += MINUTE
        day.returns(alert)
        assert day.told() == [("shift", "returned", "Hot")]

    def test_is_not_told_where_no_route_of_the_channel_does(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("shift"), tell_returned=False)
        make_route(make_channel("lead"))
        alert = make_alert(title="Hot")
        day.happens(alert)
        assert day.told() == [("lead", "raised", "Hot"), ("shift", "raised", "Hot")]
        day.now += MINUTE
        day.returns(alert)
        assert day.told() == [("lead", "returned", "Hot")]

    def test_is_told_after_the_wait_of_the_route_that_tells_it(self, day, make_alert, make_channel, make_route):
        shift = make_channel("shift")
        make_route(shift, tell_returned=False)
        make_route(shift, make_channel("lead"), group_wait=5 * MINUTE)
        alert = make_alert(title="Hot")
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]
        day.now += MINUTE
        day.returns(alert)
        assert day.told() == []
        # The lead learns of both at once.
        assert day.at(5) == [("lead", "returned", "Hot"), ("shift", "returned", "Hot")]

    def test_is_each_alerts_own(self, day, make_alert, make_channel, make_route):
        """What another route said in one message: that A was raised and B returned."""
        shift = make_channel("shift")
        make_route(shift, group_by=["site"], group_wait=0 * MINUTE, group_interval=5 * MINUTE)
        make_route(shift, group_by=["asset"], group_interval=7 * MINUTE)
        first, second = make_alert(title="A"), make_alert(title="B")
        day.happens(second)
        assert day.told() == [("shift", "raised", "B")]
        day.now += MINUTE
        day.happens(first)
        day.returns(second)
        assert day.at(5) == [("shift", "raised", "A", "B")]
        facts = Delivery.objects.latest("created_at").facts
        assert {one["title"]: one["event"] for one in facts} == {"A": "raised", "B": "returned"}
        # The second route has nothing to add, of either.
        assert day.at(7) == []

    def test_reaches_who_was_on_call_when_it_was_raised(self, day, make_alert, make_route, olga, erik):
        for person in (olga, erik):
            factories.make_channel(owner=person, name=person.username)
        rota = Rota.objects.create(name="R", people=[olga.pk, erik.pk], turn=1, starts_at=NOW, **factories.STAMPS)
        make_route(people=[olga.pk], tell_returned=False)
        make_route(rotas=[rota.pk])
        alert = make_alert(title="Hot")
        day.happens(alert)
        assert day.told() == [("olga", "raised", "Hot")]
        day.now += timedelta(days=1)
        day.returns(alert)
        assert day.told() == [("olga", "returned", "Hot")]

    def test_is_told_again_after_the_next_raise(self, day, make_alert, make_channel, make_route):
        shift = make_channel("shift")
        make_route(shift, tell_returned=False)
        make_route(shift)
        alert = make_alert(title="Hot")
        for _ in range(2):
            Alert.objects.filter(pk=alert.pk).update(active=True)
            day.happens(alert)
            assert day.told() == [("shift", "raised", "Hot")]
            day.now += MINUTE
            day.returns(alert)
            assert day.told() == [("shift", "returned", "Hot")]
            day.now += MINUTE


@pytest.mark.usefixtures("at_once")
class TestClocks:
    """The clock of whoever tells is another than that of whoever judges, or was read a while ago."""

    @pytest.fixture
    def alert(self, make_alert, make_channel, make_route):
        shift = make_channel("shift")
        make_route(shift)
        make_route(shift)
        return make_alert(title="Hot", severity="medium")

    def test_that_are_behind_tell_nothing_twice(self, day, alert):
        day.happens(alert)
        services.sort_notices()
        day.now += MINUTE
        day.returns(alert)
        day.now -= MINUTE / 2
        assert day.told() == [("shift", "returned", "Hot")]
        day.now += MINUTE
        assert day.told() == []

    def test_that_are_ahead_leave_nothing_out(self, day, alert):
        day.happens(alert)
        day.now += MINUTE
        assert day.told() == [("shift", "raised", "Hot")]
        day.now -= MINUTE / 2
        Alert.objects.filter(pk=alert.pk).update(severity="critical")
        day.happens(alert, "severity_changed")
        day.now += MINUTE / 2
        assert day.told() == [("shift", "severity_changed", "Hot")]
