"""The history of an alert says who was told of it, and who was not: in full to those who may know their addresses."""

from __future__ import annotations

import pytest

from techtrack.accounts.models import Membership
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.notifications import services
from techtrack.notifications.models import Channel, Delivery
from techtrack.notifications.services import composing
from techtrack.notifications.services.sending import give_up_switched_off
from tests import factories
from tests.integration.notifications.day import MINUTE, NOW

TELLINGS = ("notified", "notification_failed")


@pytest.fixture
def alert(make_alert):
    return make_alert(title="Hot")


@pytest.fixture
def read(api, alert):
    """``read(person)``: what the history tells of telling people, to this person."""

    def get(person):
        rows = api(person).get(f"/api/alerts/{alert.pk}/events/").json()["results"]
        return [(row["kind"], row["comment"], row["evidence"]) for row in rows if row["kind"] in TELLINGS]

    return get


class TestSent:
    def test_to_a_channel_is_told_by_name_to_operators_alone(
        self, day, alert, make_channel, make_route, read, olga, vera, plant
    ):
        make_route(make_channel("shift@plant.example", site=plant))
        day.happens(alert)
        day.told()
        delivery = Delivery.objects.get()
        services.record_sent(delivery=delivery, now=NOW)
        (kind, comment, evidence) = read(olga)[0]
        assert (kind, comment) == ("notified", "e-mail to shift@plant.example: raised")
        assert evidence["delivery"] == str(delivery.pk)
        assert read(vera) == [("notified", "e-mail: raised", {"event": "raised", "way": "email"})]

    def test_to_a_person_is_told_without_the_address(self, day, alert, make_route, read, olga, erik, vera):
        factories.make_channel(owner=olga, name="+49 151 12345678")
        make_route(people=[olga.pk])
        day.happens(alert)
        day.told()
        services.record_sent(delivery=Delivery.objects.get(), now=NOW)
        assert read(erik)[0][1] == f"e-mail to {olga.username}: raised"
        assert "151" not in str(read(erik))
        assert read(vera)[0][1] == "e-mail: raised"
        assert olga.username not in str(list(AlertEvent.objects.values("comment", "evidence")))

    def test_of_several_alerts_stands_with_each(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("shift"), group_by=["site"])
        for title in "AB":
            day.happens(make_alert(title=title))
        day.told()
        services.record_sent(delivery=Delivery.objects.get(), now=NOW)
        told = AlertEvent.objects.filter(kind="notified").order_by("alert__title")
        assert list(told.values_list("alert__title", flat=True)) == ["A", "B"]


class TestNobody:
    def test_was_reached_by_a_route(self, day, alert, make_channel, make_route, read, olga, vera):
        make_route(make_channel("off", enabled=False), name="Bearings")
        day.happens(alert)
        assert day.told() == []
        assert [row[1] for row in read(olga)] == ["the message of the route Bearings reached nobody"]
        assert [row[1] for row in read(vera)] == ["the message reached nobody"]

    def test_was_reached_by_a_row_so_the_next_is_told_at_once(
        self, day, alert, make_channel, make_route, read, olga, erik
    ):
        boss = make_channel("boss")
        rows = [
            {"after": "PT10M", "people": [erik.pk]},
            {"after": "PT20M", "channels": [999]},
            {"after": "PT1H", "channels": [boss.pk]},
        ]
        make_route(make_channel("shift"), name="R", escalation=rows)
        erik.is_active = False
        erik.save()
        day.happens(alert)
        assert day.at(0) == [("shift", "raised", "Hot")]
        assert day.at(9) == []
        assert day.at(10) == [("boss", "escalated", "Hot")]
        assert [row[1] for row in read(olga)] == [
            "row 1 of the escalation of the route R reached nobody",
            "row 2 of the escalation of the route R reached nobody",
        ]
        assert day.at(60) == []

    def test_was_reached_by_the_last_row_which_is_said(self, day, alert, make_channel, make_route, read, olga):
        make_route(make_channel("shift"), escalation=[{"after": "PT10M", "channels": [999]}])
        day.happens(alert)
        assert day.at(0)
        assert day.at(10) == []
        assert day.at(20) == []
        assert len(read(olga)) == 1


class TestBroken:
    def test_words_of_a_channel_give_way_to_ours(self, day, alert, make_channel, make_route, monkeypatch, caplog):
        whole = composing.compose

        def break_on_templates(facts, templates, more):
            if templates.body:
                raise KeyError("a surprise")
            return whole(facts, templates, more)

        monkeypatch.setattr(composing, "compose", break_on_templates)
        make_route(make_channel("own", body_template="{{ title }}"))
        day.happens(alert)
        assert day.told() == [("own", "raised", "Hot")]
        assert "Severity:  high" in Delivery.objects.get().body
        assert "templates of channel" in caplog.text

    def test_facts_of_one_keep_none_from_being_told(
        self, day, make_alert, make_channel, make_route, monkeypatch, caplog
    ):
        make_route(make_channel("shift"), group_by=["site"])
        whole = composing.queries.facts_of

        def facts_of(alert, **others):
            if alert.title == "Bad":
                raise ValueError("no such zone")
            return whole(alert, **others)

        monkeypatch.setattr(composing.queries, "facts_of", facts_of)
        for title in ("Bad", "Good"):
            day.happens(make_alert(title=title))
        assert day.told() == [("shift", "raised", "Bad", "Good")]
        assert "Bad" in Delivery.objects.get().body
        assert "barest words" in caplog.text

    def test_route_keeps_no_other_from_sorting_and_telling(
        self, day, make_alert, make_channel, make_route, read, alert, olga, caplog
    ):
        # As one whose JSON somebody has written by hand.
        bad = make_route(make_channel("bad"), name="Bad", escalation=[{"channels": []}])
        make_route(make_channel("good"))
        day.happens(alert)
        assert day.told() == [("good", "raised", "Hot")]
        assert day.at(1) == day.at(2) == []
        # Said once, however often it is tried.
        assert [row[1] for row in read(olga)] == [
            "the message of the route Bad could not be written: KeyError: 'after'"
        ]
        assert "cannot be sorted" in caplog.text
        bad.escalation = []
        bad.save()
        assert day.at(10) == [("bad", "raised", "Hot")]


class TestRights:
    @pytest.fixture
    def queued(self, day, make_alert, make_route, olga, plant, other_site):
        """A message to olga of an alert at each of two sites."""
        Membership.objects.create(user=olga, site=other_site, role="operator")
        factories.make_channel(owner=olga, name="olga")
        make_route(people=[olga.pk], group_by=["rule"])
        there = factories.make_equipment("There", site=other_site)
        day.happens(make_alert(title="here"))
        day.happens(make_alert(title="there", asset=there))
        assert day.told() == [("olga", "raised", "here", "there")]
        return Delivery.objects.select_related("channel").get()

    def test_that_are_left_change_nothing(self, queued):
        body = queued.body
        assert services.recheck(delivery=queued, now=NOW) == ""
        assert queued.body == body

    def test_lost_at_one_site_take_its_alerts_out(self, queued, olga, other_site):
        Membership.objects.filter(user=olga, site=other_site).delete()
        assert services.recheck(delivery=queued, now=NOW) == ""
        assert "there" not in f"{queued.subject} {queued.body} {queued.facts}"
        stored = Delivery.objects.get()
        assert (stored.body, stored.facts, stored.alerts.get().title) == (queued.body, queued.facts, "here")
        assert stored.site_id is not None

    @pytest.mark.parametrize("loss", ["roles", "account"])
    def test_lost_altogether_keep_the_message(self, queued, olga, loss):
        if loss == "roles":
            Membership.objects.filter(user=olga).delete()
        else:
            olga.is_active = False
            olga.save()
        assert services.recheck(delivery=queued, now=NOW)

    def test_of_a_channel_end_where_the_asset_moves(self, day, make_alert, make_channel, make_route, plant, other_site):
        make_route(make_channel("here", site=plant))
        alert = make_alert()
        day.happens(alert)
        day.told()
        delivery = Delivery.objects.select_related("channel").get()
        alert.asset.site = other_site
        alert.asset.save()
        assert services.recheck(delivery=delivery, now=NOW)


class TestAutomaticChannel:
    @pytest.fixture
    def channel(self, day, alert, make_route, olga):
        make_route(people=[olga.pk], repeat_every=MINUTE)
        day.happens(alert)
        assert day.told() == [("E-mail", "raised", "Hot")]
        return Channel.objects.get()

    def test_follows_the_address_of_the_account_when_it_sends(self, channel, olga):
        olga.email = "new@example.org"
        olga.save()
        delivery = Delivery.objects.select_related("channel").get()
        assert services.recheck(delivery=delivery, now=NOW) == ""
        assert delivery.channel.config["to"] == ["new@example.org"]

    def test_without_an_address_is_off_and_says_so_and_comes_back_with_one(self, day, channel, olga):
        olga.email = ""
        olga.save()
        assert day.at(1) == []
        channel.refresh_from_db()
        assert (channel.enabled, channel.error) == (False, "the account has no verified e-mail address")
        assert give_up_switched_off(now=NOW) == 1
        olga.email = "back@example.org"
        olga.save()
        assert day.at(2) == [("E-mail", "repeated", "Hot")]
        channel.refresh_from_db()
        assert (channel.enabled, channel.error, channel.config["to"]) == (True, "", ["back@example.org"])

    def test_that_its_person_has_switched_off_stays_off(self, day, channel, olga):
        Channel.objects.update(enabled=False)
        olga.email = "new@example.org"
        olga.save()
        assert day.at(1) == []
        assert not Channel.objects.get().enabled


class TestDescription:
    def test_is_part_of_the_message(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("shift"))
        day.happens(make_alert(description="Mend the channel.\nThen retry."))
        day.told()
        assert "About it:  Mend the channel. Then retry.\n" in Delivery.objects.get().body
        assert Alert.objects.get().description
