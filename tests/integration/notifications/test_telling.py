"""Who is told when: groups, repetitions, escalation, rotas, what people wish, and what each may know."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import Membership
from techtrack.alerts import services as alert_services
from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.notifications import jobs, services
from techtrack.notifications.models import Channel, Delivery, Group, Notice, Preference, Rota, Route
from techtrack.notifications.services import composing
from tests import factories
from tests.integration.notifications.day import MINUTE, NOW


@pytest.fixture
def alert(make_alert):
    return make_alert(title="Hot")


def acknowledge(alert):
    Alert.objects.filter(pk=alert.pk).update(acknowledged_at=NOW)


def own(person, **fields):
    return factories.make_channel(owner=person, name=person.username, **fields)


class TestGroups:
    def test_share_a_message_after_the_wait_and_the_next_after_the_interval(
        self, day, make_alert, make_channel, make_route
    ):
        make_route(make_channel("shift"), group_by=["site"], group_wait=2 * MINUTE, group_interval=5 * MINUTE)
        day.happens(make_alert(title="A"))
        assert day.told() == []
        assert day.at(1) == []
        day.happens(make_alert(title="B"))
        assert day.at(2) == [("shift", "raised", "A", "B")]
        day.now = NOW + 3 * MINUTE
        day.happens(make_alert(title="C"))
        assert day.told() == []
        assert day.at(6) == []
        assert day.at(7) == [("shift", "raised", "C")]

    def test_are_told_at_once_of_what_is_graver(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("shift"), group_by=["site"], group_interval=60 * MINUTE)
        day.happens(make_alert(title="A", severity="medium"))
        assert day.told() == [("shift", "raised", "A")]
        day.now += MINUTE
        day.happens(make_alert(title="B", severity="critical"))
        assert day.told() == [("shift", "raised", "B")]

    def test_are_by_label(self, day, make_alert, make_channel, make_route, plant):
        make_route(make_channel("shift"), group_by=["asset"])
        other = factories.make_equipment("Other", site=plant)
        for name, asset in (("A", None), ("B", other), ("C", other)):
            day.happens(make_alert(title=name, **{"asset": asset} if asset else {}))
        assert day.told() == [("shift", "raised", "A"), ("shift", "raised", "B", "C")]

    def test_begin_a_new_round_once_nobody_waits(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("shift"), group_by=["site"], group_wait=MINUTE, group_interval=60 * MINUTE)
        first = make_alert(title="A")
        day.happens(first)
        assert day.at(1)
        acknowledge(first)
        day.happens(make_alert(title="B"))
        assert day.at(2) == [("shift", "raised", "B")]

    def test_say_once_what_was_raised_and_returned_in_the_wait(self, day, alert, make_channel, make_route):
        make_route(make_channel("shift"), group_wait=MINUTE)
        day.happens(alert)
        day.returns(alert)
        assert day.at(1) == [("shift", "returned", "Hot")]
        assert not Group.objects.exclude(due_at=None).exists()

    def test_tell_that_it_is_over_those_who_knew(self, day, alert, make_channel, make_route):
        shift, late = make_channel("shift"), make_channel("late")
        route = make_route(shift)
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]
        route.channels.add(late)
        day.returns(alert)
        assert day.told() == [("shift", "returned", "Hot")]
        # Nobody hears twice that it is over.
        day.happens(alert, "returned")
        assert day.told() == []

    def test_say_nothing_of_the_return_where_nobody_wants_it(self, day, alert, make_channel, make_route):
        make_route(make_channel("shift"), tell_returned=False)
        day.happens(alert)
        assert day.told()
        day.returns(alert)
        assert day.told() == []

    def test_are_cut_by_the_template_of_the_channel(self, day, alert, make_channel, make_route):
        make_route(make_channel("shift", subject_template="{{ severity }}!", body_template="{{ title }}"))
        day.happens(alert)
        day.told()
        assert Delivery.objects.values_list("subject", "body").get() == ("high!", "Hot")


class TestSeverity:
    def test_that_rises_is_told_to_whom_it_concerns_by_then(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("all"))
        make_route(make_channel("lead"), minimum_severity="high")
        alert = make_alert(title="Hot", severity="medium")
        day.happens(alert)
        assert day.told() == [("all", "raised", "Hot")]
        for severity, told in [
            ("high", [("all", "severity_changed", "Hot"), ("lead", "raised", "Hot")]),
            ("low", []),
            ("high", []),
            ("critical", [("all", "severity_changed", "Hot"), ("lead", "severity_changed", "Hot")]),
        ]:
            Alert.objects.filter(pk=alert.pk).update(severity=severity)
            day.happens(alert, "severity_changed")
            assert day.told() == told, severity
        day.returns(alert)
        assert day.told() == [("all", "returned", "Hot"), ("lead", "returned", "Hot")]

    def test_of_what_is_hidden_or_over_is_told_to_nobody(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("all"))
        for fields in ({"suppressed_by": "task:1"}, {"active": False}):
            day.happens(make_alert(**fields), "severity_changed")
        assert day.told() == []


class TestRepetition:
    def test_goes_on_until_somebody_acknowledges(self, day, alert, make_channel, make_route):
        make_route(make_channel("shift"), repeat_every=10 * MINUTE)
        day.happens(alert)
        assert day.at(0) == [("shift", "raised", "Hot")]
        assert day.at(9) == []
        assert day.at(10) == [("shift", "repeated", "Hot")]
        assert day.at(25) == [("shift", "repeated", "Hot")]
        acknowledge(alert)
        assert day.at(60) == []
        assert Group.objects.get().due_at is None

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"suppressed_by": "silence:1"}, id="hidden"),
            pytest.param({"shelved_until": NOW + timedelta(days=1)}, id="shelved"),
            pytest.param({"out_of_service_until": NOW + timedelta(days=1)}, id="out of service"),
            pytest.param({"active": False}, id="over"),
        ],
    )
    def test_ends_where_nobody_is_to_be_told(self, day, alert, make_channel, make_route, fields):
        make_route(make_channel("shift"), repeat_every=MINUTE, escalation=[{"after": "PT1M", "channels": [1]}])
        day.happens(alert)
        assert day.told()
        Alert.objects.filter(pk=alert.pk).update(**fields)
        assert day.at(5) == []

    def test_says_only_what_still_waits(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("shift"), group_by=["site"], repeat_every=MINUTE)
        one, two = make_alert(title="A"), make_alert(title="B")
        day.happens(one)
        day.happens(two)
        assert day.told() == [("shift", "raised", "A", "B")]
        acknowledge(one)
        assert day.at(1) == [("shift", "repeated", "B")]

    def test_with_nobody_to_tell_is_not_due_again_at_once(self, day, alert, make_channel, make_route):
        make_route(make_channel("off", enabled=False), repeat_every=MINUTE)
        day.happens(alert)
        for minutes in (0, 1, 5):
            assert day.at(minutes) == []
            assert Group.objects.get().due_at == day.now + MINUTE


class TestEscalation:
    def test_tells_further_people_one_after_the_other(self, day, alert, make_channel, make_route):
        lead, boss = make_channel("lead"), make_channel("boss")
        rows = [{"after": "PT10M", "channels": [lead.pk]}, {"after": "PT1H", "channels": [boss.pk]}]
        make_route(make_channel("shift"), escalation=rows)
        day.happens(alert)
        assert day.at(0) == [("shift", "raised", "Hot")]
        assert day.at(9) == []
        assert day.at(10) == [("lead", "escalated", "Hot")]
        assert day.at(59) == []
        assert day.at(60) == [("boss", "escalated", "Hot")]
        assert day.at(600) == []
        day.returns(alert)
        assert day.told() == [(name, "returned", "Hot") for name in ("boss", "lead", "shift")]

    def test_stops_with_the_acknowledgement_and_begins_anew_with_the_next_raise(
        self, day, alert, make_channel, make_route
    ):
        make_route(make_channel("shift"), escalation=[{"after": "PT10M", "channels": [make_channel("lead").pk]}])
        day.happens(alert)
        assert day.at(0)
        acknowledge(alert)
        assert day.at(10) == []
        Alert.objects.filter(pk=alert.pk).update(acknowledged_at=None)
        day.now = NOW + 30 * MINUTE
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]
        assert day.at(39) == []
        assert day.at(40) == [("lead", "escalated", "Hot")]

    def test_makes_up_for_rows_that_nobody_looked_at(self, day, alert, make_channel, make_route):
        rows = [{"after": f"PT{n}M", "channels": [make_channel(f"c{n}").pk]} for n in (1, 2)]
        make_route(make_channel("shift"), escalation=rows)
        day.happens(alert)
        day.told()
        assert day.at(90) == [("c1", "escalated", "Hot"), ("c2", "escalated", "Hot")]

    def test_is_not_undone_by_a_rise(self, day, make_alert, make_channel, make_route):
        make_route(make_channel("shift"), escalation=[{"after": "PT10M", "channels": [make_channel("lead").pk]}])
        alert = make_alert(title="Hot", severity="medium")
        day.happens(alert)
        assert day.at(0)
        assert day.at(10)
        Alert.objects.filter(pk=alert.pk).update(severity="high")
        day.happens(alert, "severity_changed")
        assert day.told() == [("lead", "severity_changed", "Hot"), ("shift", "severity_changed", "Hot")]


class TestPeople:
    def test_are_told_by_their_own_channels(self, day, alert, make_route, olga):
        own(olga)
        factories.make_channel(owner=olga, name="off", enabled=False)
        make_route(people=[olga.pk])
        day.happens(alert)
        assert day.told() == [("olga", "raised", "Hot")]
        assert Delivery.objects.get().person == olga

    def test_without_any_get_one_to_the_address_of_the_account(self, day, make_alert, make_route, olga):
        make_route(people=[olga.pk])
        day.happens(make_alert(title="A"))
        assert day.told() == [("E-mail", "raised", "A")]
        olga.email = "new@example.org"
        olga.save()
        day.happens(make_alert(title="B"))
        day.told()
        channel = Channel.objects.get()
        assert (channel.config["to"], channel.owner, channel.automatic) == (["new@example.org"], olga, True)

    def test_learn_of_the_sites_where_they_have_a_role(
        self, day, make_alert, make_route, olga, edda, adam, plant, other_site
    ):
        for person in (olga, edda, adam):
            own(person)
        make_route(people=[olga.pk, edda.pk, adam.pk], group_by=["rule"])
        there = factories.make_equipment("There", site=other_site)
        nowhere = factories.make_equipment("Nowhere", site=None)
        for title, fields in (("here", {}), ("there", {"asset": there}), ("nowhere", {"asset": nowhere})):
            day.happens(make_alert(title=title, **fields))
        assert day.told() == [
            ("adam", "raised", "here", "nowhere", "there"),
            ("edda", "raised", "there"),
            ("olga", "raised", "here"),
        ]
        assert not Delivery.objects.filter(channel__owner=olga, body__contains="There").exists()

    def test_who_lost_the_role_hear_no_more(self, day, alert, make_route, olga):
        own(olga)
        make_route(people=[olga.pk], repeat_every=MINUTE)
        day.happens(alert)
        assert day.told()
        Membership.objects.filter(user=olga).delete()
        assert day.at(1) == []

    def test_a_channel_of_a_site_learns_of_that_site(
        self, day, make_alert, make_channel, make_route, plant, other_site
    ):
        make_route(make_channel("here", site=plant), make_channel("all"), group_by=["rule"])
        there = factories.make_equipment("There", site=other_site)
        day.happens(make_alert(title="A"))
        day.happens(make_alert(title="B", asset=there))
        assert day.told() == [("all", "raised", "A", "B"), ("here", "raised", "A")]

    def test_who_are_gone_keep_nobody_from_being_told(self, day, alert, make_channel, make_route, olga, erik, plant):
        erik.is_active = False
        erik.save()
        rota = Rota.objects.create(name="R", people=[erik.pk, 999], starts_at=NOW, **factories.STAMPS)
        shift = make_channel("shift")
        own(olga)
        make_route(
            shift,
            make_channel("off", enabled=False),
            people=[erik.pk, 999, olga.pk],
            rotas=[rota.pk, 999],
            escalation=[{"after": "PT1M", "channels": [999], "people": [999], "rotas": [999]}],
        )
        day.happens(alert)
        assert day.told() == [("olga", "raised", "Hot"), ("shift", "raised", "Hot")]
        assert day.at(1) == []

    def test_on_call_are_told_and_the_next_after_the_turn(self, day, make_alert, make_route, olga, erik):
        own(olga)
        own(erik)
        rota = Rota.objects.create(name="R", people=[olga.pk, erik.pk], turn=1, starts_at=NOW, **factories.STAMPS)
        make_route(rotas=[rota.pk])
        day.happens(make_alert(title="A"))
        assert day.told() == [("olga", "raised", "A")]
        day.now = NOW + timedelta(days=1)
        day.happens(make_alert(title="B"))
        assert day.told() == [("erik", "raised", "B")]


class TestWishes:
    """It is 10:00 in UTC, and 11:00 for olga."""

    @pytest.fixture
    def wish(self, olga, make_route):
        own(olga)
        olga.time_zone = "Europe/Berlin"
        olga.save()
        make_route(people=[olga.pk])

        def make(**fields):
            Preference.objects.update_or_create(user=olga, defaults={**factories.STAMPS, **fields})

        return make

    NIGHT = ({"days": list(range(7)), "from": "10:30", "to": "12:00"},)

    def test_of_quiet_hours_hold_what_is_not_critical_until_their_end(self, day, make_alert, wish):
        wish(quiet_hours=self.NIGHT)
        day.happens(make_alert(title="A"))
        day.happens(make_alert(title="B"))
        assert [row[1:] for row in day.told()] == [("raised", "A"), ("raised", "B")]
        assert set(Delivery.objects.values_list("state", flat=True)) == {"held"}
        day.happens(make_alert(title="C", severity="critical"))
        day.told()
        assert Delivery.objects.get(state="pending").subject.startswith("[CRITICAL] C")
        assert day.at(59) == []
        assert day.at(60) == [("olga", "digest", "A", "B")]
        assert sorted(Delivery.objects.values_list("state", flat=True)) == ["merged", "merged", "pending", "pending"]
        merged = Delivery.objects.get(event="digest")
        assert {row.merged_into for row in Delivery.objects.filter(state="merged")} == {merged}

    def test_let_one_message_go_as_it_is(self, day, alert, wish):
        wish(quiet_hours=self.NIGHT)
        day.happens(alert)
        day.told()
        assert day.at(60) == []
        assert Delivery.objects.values_list("state", "event").get() == ("pending", "raised")

    def test_tell_in_the_end_how_things_stand(self, day, make_alert, wish):
        wish(quiet_hours=self.NIGHT)
        one, two = make_alert(title="A"), make_alert(title="B")
        day.happens(one)
        day.happens(two)
        day.told()
        day.returns(one)
        day.told()
        assert day.at(60) == [("olga", "digest", "A", "B")]
        assert [facts["event"] for facts in Delivery.objects.get(event="digest").facts] == ["raised", "returned"]

    def test_of_a_digest_hold_what_is_mild(self, day, make_alert, wish):
        wish(digest="hourly", digest_below="medium")
        day.now += 5 * MINUTE
        for title, severity in (("A", "low"), ("B", "low"), ("C", "medium")):
            day.happens(make_alert(title=title, severity=severity))
        day.told()
        assert list(Delivery.objects.filter(state="pending").values_list("severity", flat=True)) == ["medium"]
        assert day.at(60) == [("olga", "digest", "A", "B")]

    def test_of_a_mildest_severity_leave_out_the_rest(self, day, make_alert, wish):
        wish(minimum_severity="high")
        mild = make_alert(severity="medium")
        day.happens(mild)
        assert day.told() == []
        day.returns(mild)
        assert day.told() == []

    def test_that_change_let_go_what_waits(self, day, make_alert, wish, olga):
        wish(quiet_hours=self.NIGHT)
        day.happens(make_alert(title="A"))
        day.happens(make_alert(title="B"))
        day.told()
        services.set_preference(user_id=olga.pk, changes={"quiet_hours": []}, expected=None, now=day.now)
        assert day.told() == [("olga", "digest", "A", "B")]

    def test_that_change_hold_on_what_is_to_wait_longer(self, day, make_alert, wish, olga):
        wish(quiet_hours=self.NIGHT)
        day.happens(make_alert(title="A"))
        day.told()
        longer = [{"days": list(range(7)), "from": "10:30", "to": "13:00"}]
        services.set_preference(user_id=olga.pk, changes={"quiet_hours": longer}, expected=None, now=day.now)
        assert day.told() == []
        assert Delivery.objects.values_list("state", "next_attempt_at").get() == (
            "held",
            datetime(2026, 11, 21, 12, tzinfo=UTC),
        )

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"minimum_severity": "low"}, id="something else"),
            pytest.param({"quiet_hours": []}, id="other hours"),
            pytest.param({"digest_at": time(12)}, id="the same once more"),
        ],
    )
    def test_that_change_bring_no_digest_early(self, day, make_alert, wish, olga, changes):
        wish(digest="daily", digest_at=time(12), quiet_hours=self.NIGHT)
        for title in "AB":
            day.happens(make_alert(title=title, severity="low"))
        day.told()
        services.set_preference(user_id=olga.pk, changes={"quiet_hours": [], **changes}, expected=None, now=day.now)
        assert day.told() == []
        assert day.at(59) == []
        assert day.at(60) == [("olga", "digest", "A", "B")]

    def test_that_change_bring_a_digest_when_it_is_wanted_by_then(self, day, make_alert, wish, olga):
        wish(digest="daily", digest_at=time(7))
        for title in "AB":
            day.happens(make_alert(title=title, severity="low"))
        day.told()
        services.set_preference(user_id=olga.pk, changes={"digest": "hourly"}, expected=None, now=day.now)
        assert day.at(59) == []
        assert day.at(60) == [("olga", "digest", "A", "B")]

    @pytest.mark.parametrize("loss", ["account", "role"])
    def test_do_not_outlive_what_the_person_may_see(self, day, make_alert, wish, olga, loss):
        wish(quiet_hours=self.NIGHT)
        day.happens(make_alert(title="A"))
        day.happens(make_alert(title="B"))
        day.told()
        if loss == "account":
            olga.is_active = False
            olga.save()
        else:
            Membership.objects.filter(user=olga).delete()
        assert day.at(60) == []
        assert set(Delivery.objects.values_list("state", flat=True)) == {"dead"}

    def test_do_not_concern_channels_that_are_shared(self, day, alert, make_channel, make_route, wish):
        wish(quiet_hours=self.NIGHT, minimum_severity="critical")
        make_route(make_channel("shift"))
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]


class TestHidden:
    def test_meanwhile_is_not_told(self, day, alert, make_channel, make_route):
        make_route(make_channel("shift"), group_wait=MINUTE)
        day.happens(alert)
        assert day.told() == []
        Alert.objects.filter(pk=alert.pk).update(suppressed_by="silence:1")
        assert day.at(1) == []
        assert not Notice.objects.filter(told_at=None).exists()
        # It comes into sight again: that is published again.
        Alert.objects.filter(pk=alert.pk).update(suppressed_by="")
        day.happens(alert)
        assert day.at(2) == [("shift", "raised", "Hot")]

    @pytest.mark.parametrize("ends", ["by itself", "by a person"])
    def test_is_told_once_when_the_hiding_ends(self, alert, make_channel, make_route, adam, ends):
        make_route(make_channel("shift"))
        self.shelve(alert, adam)
        self.uncover(alert, adam, ends)
        jobs.tell_due()
        assert list(Delivery.objects.values_list("event", flat=True)) == ["raised"]
        jobs.tell_due()
        assert Delivery.objects.count() == 1

    @pytest.mark.parametrize("ends", ["by itself", "by a person"])
    def test_returned_is_told_when_the_hiding_ends_to_those_who_knew(
        self, alert, make_channel, make_route, adam, ends, enqueue
    ):
        make_route(make_channel("shift"))
        enqueue(alert)
        make_route(make_channel("late"))
        self.shelve(alert, adam)
        Alert.objects.filter(pk=alert.pk).update(active=False, returned_at=clock.now())
        self.uncover(alert, adam, ends)
        jobs.tell_due()
        told = Delivery.objects.order_by("created_at").values_list("channel__name", "event")
        assert list(told) == [("shift", "raised"), ("shift", "returned")]

    def test_begins_anew_when_an_acknowledgement_is_taken_back(self, alert, make_channel, make_route, adam, enqueue):
        make_route(make_channel("shift"))
        enqueue(alert)
        jobs.tell_due()
        self.act(alert, "acknowledge", adam, alert_services.Said())
        self.act(alert, "unacknowledge", adam, alert_services.Said())
        jobs.tell_due()
        assert list(Delivery.objects.values_list("event", flat=True)) == ["raised", "raised"]

    def shelve(self, alert, by):
        until = clock.now() + MINUTE
        self.act(alert, "shelve", by, alert_services.Said("later", until=until))

    def uncover(self, alert, by, ends):
        if ends == "by itself":
            alert_services.end_due(now=clock.now() + 2 * MINUTE)
        else:
            self.act(alert, "unshelve", by, alert_services.Said())

    def act(self, alert, action, by, said):
        alert_services.act(alert=alert, action=action, said=said, by=by.access(), expected=None, now=clock.now())


class TestDeletion:
    def test_of_a_person_takes_own_channels_and_messages_along(self, day, alert, make_channel, make_route, olga, adam):
        own(olga)
        make_route(make_channel("shift"), people=[olga.pk], repeat_every=MINUTE)
        day.happens(alert)
        assert len(day.told()) == 2
        accounts.delete_user(user=olga, by=adam.access(), expected=None, now=factories.NOW)
        assert list(Delivery.objects.values_list("channel__name", flat=True)) == ["shift"]
        assert day.at(1) == [("shift", "repeated", "Hot")]


class TestConfiguration:
    def test_switched_off_meanwhile_tells_nobody(self, day, alert, make_channel, make_route):
        make_route(make_channel("shift"), group_wait=MINUTE)
        day.happens(alert)
        day.told()
        Route.objects.update(enabled=False)
        assert day.at(1) == []
        assert Group.objects.get().due_at is None

    def test_deleted_before_it_was_looked_at_takes_its_notices_along(self, day, alert, make_channel, make_route):
        kept, gone = make_route(make_channel("kept")), make_route(make_channel("gone"))
        day.happens(alert)
        # As one who deletes it while the alert is being written: its notice comes after.
        Route.objects.filter(pk=gone.pk).delete()
        Notice.objects.create(
            route_id=gone.pk, key="x", alert=alert, event="raised", severity="high", at=NOW, created_at=NOW
        )
        assert day.told() == [("kept", "raised", "Hot")]
        assert set(Notice.objects.values_list("route", flat=True)) == {kept.pk}

    def test_however_many_routes_lead_to_a_channel_tells_it_once(self, day, alert, make_channel, make_route):
        shift = make_channel("shift")
        make_route(shift)
        make_route(shift, minimum_severity="high")
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]
        day.returns(alert)
        assert day.told() == [("shift", "returned", "Hot")]

    def test_however_many_routes_lead_to_a_channel_tells_it_once_in_parts_too(
        self, day, alert, make_channel, make_route, monkeypatch
    ):
        monkeypatch.setattr(jobs, "AT_ONCE", 1)
        shift = make_channel("shift")
        make_route(shift)
        make_route(shift, repeat_every=MINUTE)
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]
        assert day.at(1) == [("shift", "repeated", "Hot")]
        day.now += MINUTE / 2
        day.returns(alert)
        assert day.told() == [("shift", "returned", "Hot")]
        day.now += MINUTE
        Alert.objects.filter(pk=alert.pk).update(active=True)
        day.happens(alert)
        assert day.told() == [("shift", "raised", "Hot")]

    def test_that_breaks_keeps_nobody_else_from_being_told(
        self, day, make_alert, make_channel, make_route, monkeypatch, caplog
    ):
        make_route(make_channel("shift"))
        good, bad = make_alert(title="Good"), make_alert(title="Bad")
        whole = composing.compose

        def break_on_bad(facts, *others):
            if any(one.title == "Bad" for one in facts):
                raise KeyError("a surprise")
            return whole(facts, *others)

        with monkeypatch.context() as patch:
            patch.setattr(composing, "compose", break_on_bad)
            day.happens(bad)
            day.happens(good)
            assert day.told() == [("shift", "raised", "Good")]
        assert "cannot be told together" in caplog.text
        assert day.at(1) == [("shift", "raised", "Bad")]

    def test_a_person_of_another_site_is_not_on_the_list(self, day, alert, make_route, mallory):
        own(mallory)
        make_route(people=[mallory.pk])
        day.happens(alert)
        assert day.told() == []
        assert mallory.access().sites(Role.VIEWER) == frozenset()


class TestRetention:
    def test_forgets_what_is_old_and_over(self, day, make_alert, make_channel, make_route, settings):
        make_route(make_channel("shift"))
        over, active = make_alert(title="Over"), make_alert(title="Active")
        day.happens(over)
        day.happens(active)
        day.told()
        day.returns(over)
        day.told()
        Delivery.objects.update(state="sent")
        settings.DELIVERY_DAYS = 30
        assert services.forget_old(now=NOW + timedelta(days=30)) == 0
        while services.forget_old(now=NOW + timedelta(days=31)):
            pass
        assert list(Delivery.objects.values_list("alert__title", flat=True)) == ["Active"]
        assert list(Notice.objects.values_list("alert__title", flat=True)) == ["Active"]
        day.now = NOW + timedelta(days=31)
        day.returns(active)
        assert day.told() == [("shift", "returned", "Active")]

    @pytest.mark.parametrize("state", ["pending", "held"])
    def test_keeps_what_is_not_told_yet(self, make_channel, settings, state):
        factories.make_delivery(make_channel("shift"), state=state)
        settings.DELIVERY_DAYS = 1
        assert services.forget_old(now=NOW + timedelta(days=99)) == 0
        assert Delivery.objects.exists()


class TestHeld:
    def test_that_cannot_be_let_go_keeps_no_other(self, make_channel, monkeypatch):
        broken, fine = make_channel("broken"), make_channel("fine")
        for channel in (broken, fine):
            factories.make_delivery(channel, severity="high", state="held")
        let_go = services.release_held

        def release(*, channel, now):
            if channel == broken.pk:
                raise ValueError("whatever it is")
            return let_go(channel=channel, now=now)

        monkeypatch.setattr(services, "release_held", release)
        jobs.tell(now=NOW)
        states = Delivery.objects.order_by("channel").values_list("state", "next_attempt_at")
        assert [state for state, _ in states] == ["held", "dead"]
        assert states[0][1] > NOW
