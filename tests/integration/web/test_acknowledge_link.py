"""The link in an e-mail that takes an alert: it asks first, acts as the person it was sent to, and ends."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from techtrack.accounts.models import Membership
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.core import clock
from techtrack.notifications.domain.message import Message
from techtrack.notifications.services import LINK_AGE, enclosed
from tests import factories


def text(response):
    """The page's words, without tags, blanks made one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def alert(robot):
    return Alert.objects.create(
        asset=robot, severity="high", title="Too hot", raised_at=factories.NOW, **factories.STAMPS
    )


@pytest.fixture
def link(settings, olga, alert):
    """The path of a link that olga was sent about the alert."""
    settings.PUBLIC_URL = "https://plant.example"
    channel = factories.make_channel(owner=olga)
    delivery = factories.make_delivery(channel, alert=alert, person=olga)
    delivery.alerts.add(alert)
    message = enclosed(
        Message("s", "t", link="https://plant.example/alerts/1/"), delivery, now=clock.now(), plant_now=clock.now()
    )
    assert message.acknowledge.startswith("https://plant.example/acknowledge/")
    return message.acknowledge.removeprefix("https://plant.example")


class TestLink:
    def test_asks_and_changes_nothing(self, link, alert):
        # Mail servers open every link of a message, some of them several times.
        for ask in (Client().get, Client().head, Client().get):
            response = ask(link)
            assert response.status_code == 200
        assert "Acknowledge as olga" in text(response)
        assert "Too hot" in text(response)
        assert response["Cache-Control"].startswith("max-age=0, no-cache, no-store")
        alert.refresh_from_db()
        assert (alert.acknowledged_at, AlertEvent.objects.filter(kind="acknowledged").count()) == (None, 0)

    def test_takes_the_alert_as_that_person(self, link, alert, olga):
        response = Client().post(link)
        assert response.status_code == 200
        assert "Acknowledged" in text(response)
        alert.refresh_from_db()
        assert alert.acknowledged_by == olga
        assert AlertEvent.objects.get(kind="acknowledged").actor == olga

    def test_needs_the_form_that_asked(self, link, alert):
        strict = Client(enforce_csrf_checks=True)
        assert strict.post(link).status_code == 403
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', strict.get(link).content.decode())[1]
        assert strict.post(link, {"csrfmiddlewaretoken": token}).status_code == 200
        alert.refresh_from_db()
        assert alert.acknowledged_at is not None

    def test_logs_nobody_in(self, link):
        browser = Client()
        browser.post(link)
        assert browser.get("/").status_code == 302

    def test_says_who_was_faster(self, link, alert, erik):
        Alert.objects.filter(pk=alert.pk).update(acknowledged_at=clock.now(), acknowledged_by=erik)
        for response in (Client().get(link), Client().post(link)):
            assert "Taken by erik" in text(response)
            assert "<button" not in response.content.decode()
        assert AlertEvent.objects.filter(kind="acknowledged").count() == 0

    def test_follows_the_rights_of_today(self, link, alert, olga):
        Membership.objects.filter(user=olga).update(role="viewer")
        assert "Not acknowledged: this needs the role operator" in text(Client().post(link))
        Membership.objects.filter(user=olga).delete()
        for response in (Client().get(link), Client().post(link)):
            assert "olga may not see them any more" in text(response)
            assert "Too hot" not in text(response)
        alert.refresh_from_db()
        assert alert.acknowledged_at is None

    def test_is_nothing_for_somebody_who_has_left(self, link, alert, olga):
        olga.is_active = False
        olga.save()
        assert "Too hot" not in text(Client().get(link))
        Client().post(link)
        alert.refresh_from_db()
        assert alert.acknowledged_at is None

    def test_of_somebody_who_was_deleted_is_over(self, link, olga):
        olga.delete()
        assert Client().get(link).status_code == 404

    def test_ends(self, link):
        with time_machine.travel(clock.now() + LINK_AGE - timedelta(minutes=1)):
            assert Client().get(link).status_code == 200
        with time_machine.travel(clock.now() + LINK_AGE + timedelta(minutes=1)):
            for response in (Client().get(link), Client().post(link)):
                assert response.status_code == 404
                assert "not valid any more" in text(response)

    def test_cannot_be_made_up(self, link, alert):
        token = link.split("/")[2]
        body, stamp, signature = token.split(":")
        forged = [
            f"{body[:-1]}{'A' if body[-1] != 'A' else 'B'}:{stamp}:{signature}",
            f"{body}:{stamp}:{signature[:-2]}AA",
            f"{body}:zzzzzz:{signature}",
            body,
            "x",
            "%00",
            ":::",
        ]
        for one in forged:
            assert Client().post(f"/acknowledge/{one}/").status_code == 404, one
        alert.refresh_from_db()
        assert alert.acknowledged_at is None

    def test_takes_all_alerts_of_its_message_and_no_other(self, link, alert, robot, olga):
        def another(title):
            return Alert.objects.create(
                asset=robot, severity="low", title=title, raised_at=factories.NOW, **factories.STAMPS
            )

        second, stranger = another("Second"), another("Stranger")
        factories.Delivery.objects.get().alerts.add(second)
        assert "Stranger" not in text(Client().post(link))
        assert set(Alert.objects.exclude(acknowledged_at=None)) == {alert, second}
        assert stranger.acknowledged_at is None

    def test_shows_some_of_many_and_takes_all(self, link, alert, robot, monkeypatch):
        monkeypatch.setattr("techtrack.web.views.acknowledge.MOST_SHOWN", 2)
        monkeypatch.setattr("techtrack.web.views.acknowledge.AT_ONCE", 2)
        others = [factories.make_alert(robot) for _ in range(4)]
        factories.Delivery.objects.get().alerts.add(*others)
        shown = text(Client().get(link))
        assert "And 3 more." in shown
        assert sum(one.title in shown for one in (alert, *others)) == 2
        assert "Acknowledged" in text(Client().post(link))
        assert not Alert.objects.filter(acknowledged_at=None).exists()


class TestSharedChannel:
    def test_leads_to_the_page_and_the_login(self, settings, alert, plant):
        settings.PUBLIC_URL = "https://plant.example"
        delivery = factories.make_delivery(factories.make_channel(site=plant), alert=alert)
        told = Message("s", "t", link=f"https://plant.example/alerts/{alert.pk}/")
        message = enclosed(told, delivery, now=clock.now(), plant_now=clock.now())
        assert message.acknowledge == told.link
        assert Client().get(f"/alerts/{alert.pk}/").status_code == 302

    def test_offers_nothing_once_it_is_over(self, alert, olga):
        delivery = factories.make_delivery(factories.make_channel(owner=olga), alert=alert, person=olga)
        told = replace(Message("s", "t", link="x"), status="resolved")
        assert enclosed(told, delivery, now=clock.now(), plant_now=clock.now()).acknowledge == ""
