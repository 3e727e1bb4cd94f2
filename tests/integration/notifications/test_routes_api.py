"""Who is told when, over the API: routes with their times, rotas, wishes, and messages that are tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.core import clock
from techtrack.notifications import jobs, services
from techtrack.notifications.models import Channel, Delivery, Preference, Rota, Route
from tests import factories

ROUTES, ROTAS, DELIVERIES = "/api/routes/", "/api/rotas/", "/api/deliveries/"
MINE = "/api/accounts/me/notifications/"


def pointers(answer):
    return [error["pointer"] for error in answer.json()["errors"]]


class TestRoutes:
    def test_say_when_and_whom(self, api, erik, olga, plant):
        lead, rota = factories.make_channel(site=plant), factories.make_rota(olga, site=plant)
        body = {
            "name": "All",
            "site": plant.pk,
            "people": [olga.pk, erik.pk],
            "rotas": [rota.pk],
            "group_by": ["asset", "rule"],
            "group_wait": "PT30S",
            "group_interval": "PT10M",
            "repeat_every": "PT1H",
            "escalation": [
                {"after": "PT10M", "channels": [lead.pk]},
                {"after": "PT1H", "people": [erik.pk], "rotas": [rota.pk]},
            ],
            "tell_returned": False,
        }
        answer = api(erik).post(ROUTES, body, format="json")
        assert answer.status_code == 201, answer.content
        assert {name: answer.json()[name] for name in body} == body
        url = f"{ROUTES}{answer.json()['id']}/"
        assert api(erik).put(url, answer.json(), format="json").status_code == 200
        bare = api(erik).put(url, {"name": "All", "site": plant.pk}, format="json").json()
        assert {name: bare[name] for name in body if name not in {"name", "site"}} == {
            **{name: [] for name in ("people", "rotas", "group_by", "escalation")},
            "group_wait": "PT0S",
            "group_interval": "PT5M",
            "repeat_every": None,
            "tell_returned": True,
        }

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"people": [999_999]}, "/people/0", id="nobody"),
            pytest.param({"people": ["olga"]}, "/people/0", id="a name for an id"),
            pytest.param({"rotas": [999_999]}, "/rotas/0", id="no rota"),
            pytest.param({"group_by": ["colour"]}, "/group_by/0", id="no label"),
            pytest.param({"group_by": ["site", "site"]}, "/group_by", id="a label twice"),
            pytest.param({"group_wait": "5 minutes"}, "/group_wait", id="no duration"),
            pytest.param({"group_wait": "P2D"}, "/group_wait", id="days of waiting"),
            pytest.param({"repeat_every": "PT59S"}, "/repeat_every", id="repeats too soon"),
            pytest.param({"escalation": {}}, "/escalation", id="an object for rows"),
            pytest.param({"escalation": [7]}, "/escalation/0", id="a number for a row"),
            pytest.param({"escalation": [{"people": [1]}]}, "/escalation/0/after", id="a row without a time"),
            pytest.param({"escalation": [{"after": "PT0S", "people": [1]}]}, "/escalation/0/after", id="at once"),
            pytest.param({"escalation": [{"after": "soon", "people": [1]}]}, "/escalation/0/after", id="soon"),
            pytest.param({"escalation": [{"after": "PT1M"}]}, "/escalation/0", id="a row for nobody"),
            pytest.param({"escalation": [{"after": "PT1M", "people": []}]}, "/escalation/0", id="an empty row"),
            pytest.param({"escalation": [{"after": "PT1M", "who": [1]}]}, "/escalation/0/who", id="an unknown member"),
            pytest.param(
                {"escalation": [{"after": "PT1M", "people": [999_999]}]},
                "/escalation/0/people/0",
                id="a row for a ghost",
            ),
        ],
    )
    def test_name_what_is_wrong(self, api, erik, plant, changes, pointer):
        answer = api(erik).post(ROUTES, {"name": "R", "site": plant.pk, **changes}, format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer]), answer.content
        assert not Route.objects.exists()

    def test_escalate_later_and_later(self, api, erik, plant):
        rows = [{"after": after, "people": [erik.pk]} for after in ("PT10M", "PT20M", "PT20M")]
        answer = api(erik).post(ROUTES, {"name": "R", "site": plant.pk, "escalation": rows}, format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/escalation/2/after"])

    def test_tell_nobody_whom_the_caller_does_not_know(self, api, erik, edda, adam, plant):
        body = {"name": "R", "site": plant.pk, "people": [edda.pk]}
        assert pointers(api(erik).post(ROUTES, body, format="json")) == ["/people/0"]
        made = api(adam).post(ROUTES, body, format="json").json()
        # Who was named already stays.
        answer = api(erik).patch(f"{ROUTES}{made['id']}/", {"people": [edda.pk, erik.pk]}, format="json")
        assert answer.json()["people"] == [edda.pk, erik.pk]

    def test_of_one_site_tell_no_channel_or_rota_of_another(self, api, adam, plant, other_site):
        channel, rota = factories.make_channel(site=other_site), factories.make_rota(adam, site=other_site)
        for changes, pointer in (({"channels": [channel.pk]}, "/channels/0"), ({"rotas": [rota.pk]}, "/rotas/0")):
            answer = api(adam).post(ROUTES, {"name": "R", "site": plant.pk, **changes}, format="json")
            assert (answer.status_code, pointers(answer)) == (400, [pointer])
            assert api(adam).post(ROUTES, {"name": "R", **changes}, format="json").status_code == 201


class TestRotas:
    def body(self, *people, **fields):
        return {"name": "Nights", "people": [one.pk for one in people], "starts_at": "2026-11-02T08:00:00Z", **fields}

    def test_say_who_is_on_call(self, api, erik, olga, plant):
        override = {"from": "2026-11-10T00:00:00Z", "to": "2026-11-11T00:00:00Z", "person": olga.pk}
        body = self.body(olga, erik, site=plant.pk, turn=7, timezone="Europe/Berlin", overrides=[override])
        answer = api(erik).post(ROTAS, body, format="json")
        assert answer.status_code == 201, answer.content
        made = answer.json()
        assert {name: made[name] for name in body} == body
        url = f"{ROTAS}{made['id']}/on-call/"
        for at, person, until in [
            ("2026-11-01T00:00:00Z", None, "2026-11-02T08:00:00Z"),
            ("2026-11-02T08:00:00Z", olga.pk, "2026-11-09T08:00:00Z"),
            ("2026-11-09T08:00:00Z", erik.pk, "2026-11-10T00:00:00Z"),
            ("2026-11-10T12:00:00%2B00:00", olga.pk, "2026-11-11T00:00:00Z"),
            ("2026-11-11T00:00:00Z", erik.pk, "2026-11-16T08:00:00Z"),
        ]:
            told = api(olga).get(f"{url}?at={at}").json()
            assert (told["person"], told["until"]) == (person, until), at
        assert api(olga).get(url).json()["name"] in {"olga", "erik"}
        assert api(erik).put(f"{ROTAS}{made['id']}/", made, format="json").status_code == 200

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"people": []}, "/people", id="nobody"),
            pytest.param({"people": [999_999]}, "/people/0", id="a ghost"),
            pytest.param({"turn": 0}, "/turn", id="turns of no day"),
            pytest.param({"timezone": "Mars/Olympus"}, "/timezone", id="no zone"),
            pytest.param({"starts_at": "Monday"}, "/starts_at", id="no time"),
            pytest.param({"overrides": [{"from": "x"}]}, "/overrides/0/from", id="a stand-in from no time"),
        ],
    )
    def test_name_what_is_wrong(self, api, erik, olga, plant, changes, pointer):
        answer = api(erik).post(ROTAS, self.body(olga, site=plant.pk) | changes, format="json")
        assert answer.status_code == 400
        assert pointer in pointers(answer), answer.content
        assert not Rota.objects.exists()

    def test_refuse_a_stand_in_that_ends_before_it_begins(self, api, erik, plant):
        override = {"from": "2026-11-11T00:00:00Z", "to": "2026-11-10T00:00:00Z", "person": erik.pk}
        answer = api(erik).post(ROTAS, self.body(erik, site=plant.pk, overrides=[override]), format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/overrides/0/to"])

    @pytest.mark.parametrize("query", ["at=noon", "at=", "at=1999-01-01T00:00:00Z", "when=now"])
    def test_refuse_a_time_that_is_none(self, api, erik, plant, query):
        rota = factories.make_rota(erik, site=plant)
        assert api(erik).get(f"{ROTAS}{rota.pk}/on-call/?{query}").status_code == 400

    def test_are_managed_by_engineers_and_hidden_from_strangers(self, api, erik, olga, vera, edda, plant):
        rota = factories.make_rota(erik, site=plant)
        url = f"{ROTAS}{rota.pk}/"
        assert api(olga).get(url).status_code == 200
        assert api(olga).patch(url, {"turn": 1}, format="json").status_code == 403
        for stranger in (vera, edda):
            assert api(stranger).get(url).status_code == 404
            assert api(stranger).get(f"{url}on-call/").status_code == 404

    def test_stay_while_a_route_needs_them(self, api, erik, plant):
        rota = factories.make_rota(erik, site=plant)
        route = factories.make_route(site=plant, escalation=[{"after": "PT1M", "rotas": [rota.pk]}])
        answer = api(erik).delete(f"{ROTAS}{rota.pk}/")
        assert (answer.status_code, answer.json()["code"]) == (409, "rota_in_use")
        route.delete()
        assert api(erik).delete(f"{ROTAS}{rota.pk}/").status_code == 204

    def test_pass_over_whoever_is_gone(self, api, erik, olga, plant):
        rota = factories.make_rota(olga, erik, site=plant)
        olga.is_active = False
        olga.save()
        told = api(erik).get(f"{ROTAS}{rota.pk}/on-call/?at=2026-11-21T12:00:00Z").json()
        assert (told["person"], told["name"]) == (erik.pk, "erik")


class TestWishes:
    WISHES = {
        "minimum_severity": "low",
        "quiet_hours": [{"days": [0, 1, 2, 3, 4, 5, 6], "from": "22:00", "to": "06:00"}],
        "quiet_except": "high",
        "digest": "daily",
        "digest_at": "08:30",
        "digest_below": "high",
    }

    def test_are_what_nobody_has_said_at_first(self, api, vera):
        answer = api(vera).get(MINE)
        assert answer.json() == {
            "minimum_severity": "info",
            "quiet_hours": [],
            "quiet_except": "critical",
            "digest": "",
            "digest_at": "07:00",
            "digest_below": "medium",
            "version": 0,
        }
        assert answer["ETag"].startswith('"0-')
        assert not Preference.objects.exists()

    def test_are_put_and_patched_by_whom_they_concern(self, api, vera, olga):
        answer = api(vera).put(MINE, self.WISHES, format="json", HTTP_IF_MATCH='"0"')
        assert (answer.status_code, answer.json(), answer["ETag"]) == (200, self.WISHES | {"version": 1}, '"1"')
        answer = api(vera).patch(MINE, {"digest": ""}, format="json", HTTP_IF_MATCH='"1"')
        assert answer.json() == self.WISHES | {"digest": "", "version": 2}
        assert api(olga).get(MINE).json()["version"] == 0
        assert api(vera).put(MINE, {}, format="json").json()["quiet_hours"] == []

    @pytest.mark.parametrize("seen", ['"0"', '"7"'])
    def test_refuse_a_stale_change_and_show_what_is_now(self, api, vera, seen):
        api(vera).put(MINE, self.WISHES, format="json")
        answer = api(vera).patch(MINE, {"digest": ""}, format="json", HTTP_IF_MATCH=seen)
        assert (answer.status_code, answer.json()["current"]["digest"]) == (412, "daily")

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"minimum_severity": "awful"}, "/minimum_severity"),
            ({"quiet_hours": [{"days": [7], "from": "22:00", "to": "06:00"}]}, "/quiet_hours/0/days/0"),
            ({"quiet_hours": [{"days": [], "from": "22:00", "to": "06:00"}]}, "/quiet_hours/0/days"),
            ({"quiet_hours": [{"days": [1], "from": "25:00", "to": "06:00"}]}, "/quiet_hours/0/from"),
            ({"quiet_hours": [{"days": [1], "from": "22:00"}]}, "/quiet_hours/0/to"),
            ({"quiet_hours": [{"days": [1], "from": "22:00", "to": "22:00"}]}, "/quiet_hours/0/to"),
            ({"quiet_hours": "nights"}, "/quiet_hours"),
            ({"digest": "weekly"}, "/digest"),
            ({"digest_at": "seven"}, "/digest_at"),
            ({"colour": "red"}, "/colour"),
        ],
    )
    def test_name_what_is_wrong(self, api, vera, changes, pointer):
        answer = api(vera).patch(MINE, changes, format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer]), answer.content
        assert not Preference.objects.exists()


class TestRetry:
    @pytest.fixture
    def dead(self, plant):
        channel = factories.make_channel(site=plant, failures=9, retry_at=factories.NOW + timedelta(days=999))
        return [factories.make_delivery(channel, site=plant, state="dead", attempts=10, error="no") for _ in range(3)]

    def test_sends_what_was_given_up_again_under_its_id(self, api, olga, dead):
        answer = api(olga).post(f"{DELIVERIES}{dead[0].pk}/retry/")
        assert answer.status_code == 200
        assert (answer.json()["id"], answer.json()["state"]) == (str(dead[0].pk), "pending")
        channel = Channel.objects.get()
        assert (channel.failures, channel.retry_at) == (0, None)
        assert Delivery.objects.filter(state="dead").count() == 2

    @pytest.mark.parametrize("state", ["pending", "held", "merged", "sent"])
    def test_is_for_what_was_given_up(self, api, olga, dead, state):
        Delivery.objects.update(state=state)
        answer = api(olga).post(f"{DELIVERIES}{dead[0].pk}/retry/")
        assert (answer.status_code, answer.json()["code"]) == (409, "delivery_not_dead")

    def test_of_many_takes_ids_or_a_channel(self, api, olga, dead):
        client = api(olga)
        one = client.post(f"{DELIVERIES}retry/", {"ids": [str(dead[0].pk)]}, format="json")
        assert (one.status_code, one.json()) == (200, {"retried": 1})
        rest = client.post(f"{DELIVERIES}retry/", {"channel": dead[0].channel_id}, format="json")
        assert rest.json() == {"retried": 2}
        assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 0)}

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/ids"),
            ({"ids": []}, "/ids"),
            ({"ids": ["x"]}, "/ids/0"),
            ({"channel": 0}, "/channel"),
            ({"all": 1}, "/all"),
        ],
    )
    def test_of_many_names_what_is_wrong(self, api, olga, dead, body, pointer):
        answer = api(olga).post(f"{DELIVERIES}retry/", body, format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer])

    def test_is_not_for_strangers(self, api, vera, edda, dead):
        for stranger in (vera, edda):
            assert api(stranger).post(f"{DELIVERIES}{dead[0].pk}/retry/").status_code == 404
            told = api(stranger).post(f"{DELIVERIES}retry/", {"channel": dead[0].channel_id}, format="json")
            assert told.json() == {"retried": 0}
        assert Delivery.objects.filter(state="dead").count() == 3

    def test_is_for_the_person_it_was_meant_for(self, api, vera, dead):
        Delivery.objects.filter(pk=dead[0].pk).update(person=vera)
        assert [row["id"] for row in api(vera).get(DELIVERIES).json()["results"]] == [str(dead[0].pk)]
        assert api(vera).post(f"{DELIVERIES}{dead[0].pk}/retry/").status_code == 200


class TestFilters:
    def test_find_messages_about_an_alert_among_others(
        self, api, olga, make_alert, make_route, make_channel, enqueue, plant
    ):
        make_route(make_channel("shift", site=plant), group_by=["site"])
        one, two = make_alert(), make_alert()
        for alert in (one, two):
            services.enqueue_for_alert(
                alert_id=alert.pk, event="raised", at=clock.now(), now=clock.now(), plant_now=clock.now()
            )
        jobs.tell_due()
        rows = api(olga).get(f"{DELIVERIES}?alert={two.pk}").json()["results"]
        assert [(row["alert"], sorted(row["alerts"])) for row in rows] == [(None, [one.pk, two.pk])]

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("event=raised", 1),
            ("event=returned", 0),
            ("created_after=2026-11-21T10:00:00Z", 1),
            ("created_before=2026-11-21T10:00:00Z", 0),
            ("person=1", 0),
            ("route=1", 0),
        ],
    )
    def test_narrow_the_list(self, api, olga, plant, query, count):
        factories.make_delivery(factories.make_channel(site=plant), site=plant)
        assert api(olga).get(f"{DELIVERIES}?{query}").json()["count"] == count
