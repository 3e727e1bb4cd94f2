"""Channels, routes and deliveries over the API."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import Access, Role
from techtrack.notifications.models import Channel, Delivery, Route
from tests import factories

CHANNELS = "/api/channels/"
ROUTES = "/api/routes/"
DELIVERIES = "/api/deliveries/"


def pointers(answer):
    return [error["pointer"] for error in answer.json()["errors"]]


class TestChannels:
    def body(self, plant, **fields):
        return {"name": "Shift", "kind": "email", "config": {"to": ["shift@plant.example"]}, "site": plant.pk, **fields}

    def test_are_made_by_an_engineer_of_the_site(self, api, erik, plant):
        answer = api(erik).post(CHANNELS, self.body(plant), format="json")
        assert answer.status_code == 201
        made = answer.json()
        assert answer["Location"].endswith(f"{CHANNELS}{made['id']}/")
        assert answer["ETag"] == '"1"'
        assert {name: made[name] for name in ("name", "kind", "config", "site", "enabled", "version")} == {
            **self.body(plant),
            "enabled": True,
            "version": 1,
        }
        assert api(erik).get(f"{CHANNELS}{made['id']}/").json() == made

    @pytest.mark.parametrize("who", ["olga", "vera", "edda", "mallory"])
    def test_are_made_by_nobody_else(self, api, plant, who, request):
        answer = api(request.getfixturevalue(who)).post(CHANNELS, self.body(plant), format="json")
        # To those elsewhere the site does not exist.
        assert answer.status_code == (403 if who in {"olga", "vera"} else 400)
        assert Channel.objects.count() == 0

    def test_for_all_sites_need_an_engineer_for_all_sites(self, api, erik, adam, plant):
        everywhere = self.body(plant, site=None)
        assert api(erik).post(CHANNELS, everywhere, format="json").status_code == 403
        assert api(adam).post(CHANNELS, everywhere, format="json").status_code == 201

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"config": {"to": ["nobody"]}}, "/config/to/0", id="no address"),
            pytest.param({"config": {}}, "/config/to", id="no addresses"),
            pytest.param({"config": []}, "/config", id="a list for settings"),
            pytest.param({"config": None}, "/config", id="null for settings"),
            pytest.param({"config": {"to": ["a@b.example"], "cc": 1}}, "/config/cc", id="an unknown setting"),
            pytest.param({"kind": "pigeon"}, "/kind", id="an unknown kind"),
            pytest.param({"kind": ["email"]}, "/kind", id="a list for a kind"),
            pytest.param({"name": ""}, "/name", id="no name"),
            pytest.param({"name": "x" * 201}, "/name", id="a long name"),
            pytest.param({"site": 2**63}, "/site", id="an id beyond every id"),
            pytest.param({"site": {"id": 1}}, "/site", id="an object for an id"),
            pytest.param({"site": True}, "/site", id="a flag for an id"),
            pytest.param({"enabled": "perhaps"}, "/enabled", id="no flag"),
        ],
    )
    def test_name_what_is_wrong(self, api, erik, plant, changes, pointer):
        answer = api(erik).post(CHANNELS, self.body(plant, **changes), format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer])
        assert Channel.objects.count() == 0

    def test_check_the_settings_on_every_change(self, api, erik, plant, make_channel):
        url = f"{CHANNELS}{make_channel('shift', site=plant).pk}/"
        answer = api(erik).patch(url, {"config": {"to": [1]}}, format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/config/to/0"])
        answer = api(erik).patch(url, {"config": {"to": ["lead@plant.example"]}}, format="json")
        assert (answer.json()["config"], answer["ETag"]) == ({"to": ["lead@plant.example"]}, '"2"')

    def test_are_replaced_whole_by_put(self, api, adam, plant, make_channel):
        channel = make_channel("shift", site=plant, enabled=False)
        body = {"name": "New", "kind": "email", "config": {"to": ["a@b.example"]}}
        answer = api(adam).put(f"{CHANNELS}{channel.pk}/", body, format="json")
        assert (answer.status_code, answer.json()["site"], answer.json()["enabled"]) == (200, None, True)

    def test_cannot_be_carried_off_to_another_site(self, api, erik, plant, make_channel):
        url = f"{CHANNELS}{make_channel('shift', site=plant).pk}/"
        assert api(erik).patch(url, {"site": None}, format="json").status_code == 403
        assert Channel.objects.get().site == plant

    def test_refuse_a_stale_change_and_show_what_is_now(self, api, erik, plant, make_channel):
        url = f"{CHANNELS}{make_channel('shift', site=plant).pk}/"
        api(erik).patch(url, {"name": "New"}, format="json")
        for send in (api(erik).patch, api(erik).delete):
            answer = send(url, {"name": "Newer"}, format="json", HTTP_IF_MATCH='"1"')
            assert (answer.status_code, answer.json()["current"]["name"]) == (412, "New")
        assert api(erik).delete(url, HTTP_IF_MATCH='"2"').status_code == 204

    def test_switched_off_let_nothing_wait(self, api, erik, plant, make_channel, make_route, make_alert, enqueue):
        channel = make_channel("shift", site=plant)
        make_route(channel)
        enqueue(make_alert())
        api(erik).patch(f"{CHANNELS}{channel.pk}/", {"enabled": False}, format="json")
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.error) == ("dead", "the channel was switched off")

    def test_deleted_leave_their_routes_with_a_new_version(self, api, erik, plant, make_channel, make_route):
        channel = make_channel("shift", site=plant)
        route = make_route(channel, site=plant)
        assert api(erik).delete(f"{CHANNELS}{channel.pk}/").status_code == 204
        shown = api(erik).get(f"{ROUTES}{route.pk}/").json()
        assert (shown["channels"], shown["version"]) == ([], 2)

    @pytest.mark.parametrize(
        ("who", "names"),
        [
            ("adam", ["all", "here", "there"]),
            ("erik", ["all", "here"]),
            ("olga", ["all", "here"]),
            ("edda", ["all", "there"]),
        ],
    )
    def test_are_read_by_operators_of_their_sites(self, api, plant, other_site, make_channel, who, names, request):
        make_channel("here", site=plant)
        make_channel("there", site=other_site)
        make_channel("all")
        answer = api(request.getfixturevalue(who)).get(CHANNELS)
        assert [row["name"] for row in answer.json()["results"]] == names

    @pytest.mark.parametrize("who", ["vera", "mallory"])
    def test_show_no_addresses_to_viewers_and_outsiders(self, api, plant, make_channel, who, request):
        channel = make_channel("here", site=plant)
        client = api(request.getfixturevalue(who))
        assert client.get(CHANNELS).json()["count"] == 0
        assert client.get(f"{CHANNELS}{channel.pk}/").status_code == 404
        assert client.delete(f"{CHANNELS}{channel.pk}/").status_code == 404

    def test_show_nothing_to_a_key_of_one_asset(self, erik, plant, robot, make_channel, make_route):
        make_route(make_channel("here", site=plant), site=plant)
        access = Access(erik.pk, "erik", at={plant.pk: Role.ENGINEER}, only_asset=robot.pk)
        assert not Channel.objects.visible_to(access).exists()
        assert not Route.objects.visible_to(access).exists()


class TestRoutes:
    def test_are_made_with_what_they_demand_and_their_channels(self, api, erik, plant, make_channel):
        factories.make_type("robot")
        one, two = make_channel("one", site=plant), make_channel("two")
        body = {
            "name": "Robots",
            "site": plant.pk,
            "asset_type": "robot",
            "minimum_severity": "high",
            "tags": ["cnc"],
            "channels": [two.pk, one.pk],
            "enabled": False,
        }
        answer = api(erik).post(ROUTES, body, format="json")
        assert answer.status_code == 201
        assert {name: answer.json()[name] for name in body} == {**body, "channels": [one.pk, two.pk]}

    def test_demand_nothing_by_default(self, api, erik, plant):
        answer = api(erik).post(ROUTES, {"name": "All", "site": plant.pk}, format="json").json()
        assert (answer["asset_type"], answer["minimum_severity"], answer["tags"]) == (None, "info", [])
        assert (answer["channels"], answer["enabled"]) == ([], True)

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"asset_type": "no-such"}, "/asset_type", id="an unknown type"),
            pytest.param({"asset_type": ["robot"]}, "/asset_type", id="a list for a type"),
            pytest.param({"minimum_severity": "awful"}, "/minimum_severity", id="an unknown severity"),
            pytest.param({"tags": "cnc"}, "/tags", id="a text for tags"),
            pytest.param({"tags": ["x" * 65]}, "/tags/0", id="a long tag"),
            pytest.param({"tags": [["cnc"]]}, "/tags/0", id="a list for a tag"),
            pytest.param({"channels": [999_999]}, "/channels/0", id="an unknown channel"),
            pytest.param({"channels": [2**63]}, "/channels/0", id="an id beyond every id"),
            pytest.param({"channels": ["x"]}, "/channels/0", id="a text for a channel"),
            pytest.param({"channels": {"id": 1}}, "/channels", id="an object for a list"),
        ],
    )
    def test_name_what_is_wrong(self, api, erik, plant, changes, pointer):
        body = {"name": "Robots", "site": plant.pk, **changes}
        answer = api(erik).post(ROUTES, body, format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer])
        assert Route.objects.count() == 0

    def test_lead_only_to_channels_that_the_caller_may_see(self, api, erik, plant, other_site, make_channel):
        here, there = make_channel("here", site=plant), make_channel("there", site=other_site)
        body = {"name": "Leak", "site": plant.pk, "channels": [here.pk, there.pk]}
        answer = api(erik).post(ROUTES, body, format="json")
        assert (answer.status_code, pointers(answer)) == (400, ["/channels/1"])

    def test_keep_a_channel_that_is_there_already(self, api, erik, plant, other_site, make_channel, make_route):
        there = make_channel("there", site=other_site)
        url = f"{ROUTES}{make_route(there, site=plant).pk}/"
        shown = api(erik).get(url).json()
        answer = api(erik).put(url, shown, format="json")
        assert (answer.status_code, answer.json()["channels"]) == (200, [there.pk])

    def test_change_with_one_new_version(self, api, erik, plant, make_channel, make_route):
        channel = make_channel("here", site=plant)
        url = f"{ROUTES}{make_route(site=plant).pk}/"
        answer = api(erik).patch(url, {"name": "New", "channels": [channel.pk]}, format="json")
        assert (answer.json()["channels"], answer.json()["version"]) == ([channel.pk], 2)
        answer = api(erik).put(url, {"name": "New", "site": plant.pk}, format="json")
        assert (answer.json()["channels"], answer.json()["version"]) == ([], 3)
        assert api(erik).put(url, shown_stale := answer.json(), HTTP_IF_MATCH='"2"', format="json").status_code == 412
        assert api(erik).put(url, shown_stale, HTTP_IF_MATCH='"3"', format="json").status_code == 200

    @pytest.mark.parametrize("who", ["olga", "vera", "edda"])
    def test_are_changed_by_nobody_below_engineer(self, api, plant, make_route, who, request):
        url = f"{ROUTES}{make_route(site=plant).pk}/"
        client = api(request.getfixturevalue(who))
        expected = 403 if who == "olga" else 404
        assert client.patch(url, {"name": "x"}, format="json").status_code == expected
        assert client.delete(url).status_code == expected
        assert Route.objects.get().version == 1


class TestDeliveries:
    @pytest.fixture
    def delivery(self, plant, make_channel, make_route, make_alert, enqueue):
        make_route(make_channel("shift", site=plant))
        return enqueue(make_alert())[0]

    def test_show_how_far_they_are(self, api, olga, delivery, plant):
        shown = api(olga).get(f"{DELIVERIES}{delivery.pk}/").json()
        assert set(shown) == {
            *("id", "channel", "route", "group", "alert", "alerts", "site", "person", "event", "severity", "subject"),
            *("merged_into", "state", "attempts", "next_attempt_at", "error", "created_at", "sent_at"),
            *("reached", "answer"),
        }
        assert (shown["id"], shown["site"], shown["state"]) == (str(delivery.pk), plant.pk, "pending")

    def test_are_read_only(self, api, adam, delivery):
        client = api(adam)
        assert client.post(DELIVERIES, {}, format="json").status_code == 405
        for send in (client.put, client.patch, client.delete):
            assert send(f"{DELIVERIES}{delivery.pk}/", {}, format="json").status_code == 405

    @pytest.mark.parametrize("who", ["vera", "oscar", "mallory"])
    def test_are_not_for_viewers_and_outsiders(self, api, delivery, who, request):
        client = api(request.getfixturevalue(who))
        assert client.get(DELIVERIES).json()["count"] == 0
        assert client.get(f"{DELIVERIES}{delivery.pk}/").status_code == 404

    def test_are_filtered_by_state_channel_and_alert(self, api, olga, delivery):
        client = api(olga)
        for query, count in [
            ("state=pending", 1),
            ("state=sent", 0),
            (f"channel={delivery.channel_id}", 1),
            (f"channel={delivery.channel_id + 1}", 0),
            (f"alert={delivery.alert_id}", 1),
            (f"alert={2**63 - 1}", 0),
        ]:
            assert client.get(f"{DELIVERIES}?{query}").json()["count"] == count, query

    @pytest.mark.parametrize(
        "query",
        [
            "state=lost",
            "channel=x",
            "channel=-1",
            f"alert={2**63}",
            "alert=0.5",
            "colour=red",
            "ordering=body",
            "state=%00",
        ],
    )
    def test_refuse_filters_that_make_no_sense(self, api, olga, query):
        assert api(olga).get(f"{DELIVERIES}?{query}").status_code == 400

    @pytest.mark.parametrize("key", ["1", "x", "0" * 36, "%00", "00000000-0000-0000-0000-000000000000", "9" * 40])
    def test_know_no_id_that_is_none(self, api, adam, key):
        assert api(adam).get(f"{DELIVERIES}{key}/").status_code == 404


class TestCost:
    @pytest.mark.parametrize("url", [CHANNELS, ROUTES, DELIVERIES])
    def test_of_a_list_does_not_grow_with_it(
        self, api, olga, plant, url, make_channel, make_route, make_alert, enqueue
    ):
        def fill(first, last):
            for number in range(first, last):
                channel = make_channel(f"c{number}", site=plant)
                make_route(channel, site=plant, asset_type=factories.make_type(f"type-{number}"))
                make_route(channel, site=plant)
            enqueue(make_alert())

        def queries():
            with CaptureQueriesContext(
                connection,
            ) as counted:
                client.get(url)
            return len(counted)

        client = api(olga)
        fill(0, 2)
        few = queries()
        fill(2, 12)
        assert queries() == few <= 6
