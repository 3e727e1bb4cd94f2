"""Silences and maintenance windows over the API: what they may say, and who may say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from techtrack.accounts.domain.access import Role
from techtrack.accounts.queries import access_of
from techtrack.alerts import hiding
from techtrack.alerts.models import Silence
from techtrack.core import clock
from techtrack.core.errors import Forbidden
from techtrack.core.models import Head
from tests import factories
from tests.factories import NOW

URL = "/api/silences/"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """It is NOW: 11:00 in Berlin, a Saturday."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def body(plant):
    return {
        "name": "Night",
        "site": plant.pk,
        "starts_at": "2026-11-01T21:00:00Z",
        "rrule": "FREQ=DAILY",
        "duration": "PT8H",
        "timezone": "Europe/Berlin",
    }


@pytest.fixture
def once(plant):
    return {
        "name": "Test run",
        "site": plant.pk,
        "starts_at": "2026-11-21T09:00:00Z",
        "ends_at": "2026-11-21T11:00:00Z",
    }


def pointers(answer):
    return [error["pointer"] for error in answer.json()["errors"]]


class TestWriting:
    def test_an_operator_makes_one(self, api, olga, body, plant):
        answer = api(olga).post(URL, body, format="json")
        assert answer.status_code == 201, answer.json()
        silence = answer.json()
        assert {name: silence[name] for name in body} == body
        assert (silence["kind"], silence["matchers"], silence["ends_at"]) == ("silence", {}, None)
        assert (silence["by"], silence["active"], silence["version"]) == (olga.pk, False, 1)
        # Ten at night on the clock of Berlin.
        assert silence["next_windows"] == [
            {"starts_at": f"2026-11-{day}T21:00:00Z", "ends_at": f"2026-11-{day + 1}T05:00:00Z"} for day in (21, 22, 23)
        ]

    def test_without_a_zone_it_goes_by_the_clock_of_its_site(self, api, olga, body, plant):
        type(plant).objects.filter(pk=plant.pk).update(timezone="Asia/Tokyo")
        del body["timezone"]
        assert api(olga).post(URL, body, format="json").json()["timezone"] == "Asia/Tokyo"
        del body["site"]
        everywhere = api(factories.make_user("oda", role=Role.OPERATOR)).post(URL, body, format="json")
        assert everywhere.json()["timezone"] == "UTC"

    def test_one_that_comes_once_says_whether_it_holds(self, api, olga, once):
        client = api(olga)
        silence = client.post(URL, once, format="json").json()
        assert (silence["active"], silence["next_windows"]) == (True, [])
        url = f"{URL}{silence['id']}/"
        later = client.patch(url, {"starts_at": "2026-11-21T10:30:00Z"}, format="json").json()
        window = {"starts_at": "2026-11-21T10:30:00Z", "ends_at": "2026-11-21T11:00:00Z"}
        assert (later["active"], later["next_windows"]) == (False, [window])

    def test_all_of_it_comes_back_as_it_was_sent(self, api, erik, body, robot):
        rule = factories.make_rule(site=robot.site)
        full = body | {
            "kind": "maintenance",
            "ends_at": "2027-11-01T00:00:00Z",
            "reason": "Lubrication",
            "matchers": {
                "assets": [robot.pk],
                "asset_type": "robot",
                "tags": ["cnc"],
                "severities": ["low", "info"],
                "rules": [rule.pk],
                "parameter": "temperature",
            },
        }
        client = api(erik)
        silence = client.post(URL, full, format="json").json()
        assert {name: silence[name] for name in full} == full
        again = client.put(f"{URL}{silence['id']}/", silence, format="json")
        assert {name: again.json()[name] for name in full} == full

    def test_patch_merges_and_put_replaces(self, api, olga, body, robot):
        client = api(olga)
        url = f"{URL}{client.post(URL, body | {'matchers': {'tags': ['cnc']}}, format='json').json()['id']}/"
        merged = client.patch(url, {"matchers": {"assets": [robot.pk]}}, format="json").json()
        assert merged["matchers"] == {"tags": ["cnc"], "assets": [robot.pk]}
        assert client.patch(url, {"matchers": {"tags": None}}, format="json").json()["matchers"] == {
            "assets": [robot.pk]
        }
        replaced = client.put(url, body, format="json").json()
        assert (replaced["matchers"], replaced["version"]) == ({}, 4)

    def test_what_is_gone_may_be_sent_back(self, api, erik, body, robot):
        client = api(erik)
        rule = factories.make_rule(site=robot.site)
        silence = client.post(URL, body | {"matchers": {"rules": [rule.pk]}}, format="json").json()
        rule.delete()
        assert client.put(f"{URL}{silence['id']}/", silence, format="json").status_code == 200

    def test_each_change_is_counted_so_that_alerts_are_looked_at_again(self, api, olga, body):
        client, before = api(olga), Head.current(hiding.HEAD)
        url = f"{URL}{client.post(URL, body, format='json').json()['id']}/"
        client.patch(url, {"name": "Nights"}, format="json")
        assert client.delete(url).status_code == 204
        assert Head.current(hiding.HEAD) == before + 3
        assert not Silence.objects.exists()

    def test_a_stale_version_is_refused(self, api, olga, body):
        client = api(olga)
        url = f"{URL}{client.post(URL, body, format='json').json()['id']}/"
        client.patch(url, {"name": "Nights"}, format="json", HTTP_IF_MATCH='"1"')
        stale = client.patch(url, {"name": "Days"}, format="json", HTTP_IF_MATCH='"1"')
        assert (stale.status_code, stale.json()["current"]["name"]) == (412, "Nights")

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"name": ""}, "/name"),
            ({"kind": "holiday"}, "/kind"),
            ({"site": 10**9}, "/site"),
            ({"starts_at": "soon"}, "/starts_at"),
            ({"starts_at": None}, "/starts_at"),
            ({"ends_at": "2026-10-01T00:00:00Z"}, "/ends_at"),
            ({"rrule": "FREQ=MINUTELY"}, "/rrule"),
            ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "/rrule"),
            ({"rrule": "FREQ=DAILY;" * 100}, "/rrule"),
            ({"rrule": ""}, "/duration"),
            ({"rrule": "", "duration": None}, "/ends_at"),
            ({"duration": None}, "/duration"),
            ({"duration": "PT0S"}, "/duration"),
            ({"duration": "P3000D"}, "/duration"),
            ({"duration": "8 hours"}, "/duration"),
            ({"timezone": "Berlin"}, "/timezone"),
            ({"matchers": []}, "/matchers"),
            ({"matchers": {"asset": 5}}, "/matchers/asset"),
            ({"matchers": {"assets": [10**9]}}, "/matchers/assets"),
            ({"matchers": {"assets": ["robot-1"]}}, "/matchers/assets/0"),
            ({"matchers": {"rules": [10**9]}}, "/matchers/rules"),
            ({"matchers": {"asset_type": "spoon"}}, "/matchers/asset_type"),
            ({"matchers": {"severities": ["dire"]}}, "/matchers/severities/0"),
            ({"matchers": {"parameter": "No Code"}}, "/matchers/parameter"),
            ({"matchers": {"tags": [None]}}, "/matchers/tags/0"),
            ({"until": 5}, "/until"),
        ],
    )
    def test_what_is_no_window_is_refused(self, api, olga, body, changes, pointer):
        answer = api(olga).post(URL, body | changes, format="json")
        assert answer.status_code == 400, answer.content
        assert pointers(answer) == [pointer]
        assert not Silence.objects.exists()

    def test_assets_of_other_sites_do_not_exist(self, api, olga, body, other_site):
        hidden = factories.make_equipment(site=other_site)
        answer = api(olga).post(URL, body | {"matchers": {"assets": [hidden.pk]}}, format="json")
        assert pointers(answer) == ["/matchers/assets"]


class TestPeople:
    @pytest.mark.parametrize(
        ("who", "kind", "status"),
        [
            ("vera", "silence", 403),
            ("olga", "silence", 201),
            ("olga", "maintenance", 403),
            ("erik", "maintenance", 201),
            ("oscar", "silence", 400),
            ("mallory", "silence", 400),
        ],
    )
    def test_planned_work_is_for_engineers(self, api, request, who, kind, status, body):
        answer = api(request.getfixturevalue(who)).post(URL, body | {"kind": kind}, format="json")
        assert answer.status_code == status, answer.json()

    def test_everywhere_is_for_those_who_work_everywhere(self, api, erik, adam, body):
        wide = body | {"site": None}
        assert api(erik).post(URL, wide, format="json").status_code == 403
        assert api(adam).post(URL, wide, format="json").status_code == 201
        narrow = Silence.objects.get()
        # Who works at the plant reads it, and changes nothing of it.
        assert api(erik).get(f"{URL}{narrow.pk}/").status_code == 200
        assert api(erik).delete(f"{URL}{narrow.pk}/").status_code == 403

    def test_nobody_makes_of_it_what_is_not_his_to_make(self, api, olga, erik, once):
        client = api(olga)
        mine = f"{URL}{client.post(URL, once, format='json').json()['id']}/"
        assert client.patch(mine, {"kind": "maintenance"}, format="json").status_code == 403
        assert client.patch(mine, {"site": None}, format="json").status_code == 403
        theirs = f"{URL}{api(erik).post(URL, once | {'kind': 'maintenance'}, format='json').json()['id']}/"
        assert client.patch(theirs, {"kind": "silence"}, format="json").status_code == 403
        assert client.delete(theirs).status_code == 403

    def test_those_of_other_sites_do_not_exist(self, api, oscar, plant):
        silence = factories.make_silence(site=plant)
        client = api(oscar)
        assert client.get(f"{URL}{silence.pk}/").status_code == 404
        assert client.delete(f"{URL}{silence.pk}/").status_code == 404
        assert client.get(URL).json()["count"] == 0

    def test_a_key_of_one_asset_makes_none(self, olga, robot):
        key = replace(access_of(olga), only_asset=robot.pk)
        assert key.allows(Role.OPERATOR, robot.site_id)
        with pytest.raises(Forbidden):
            hiding.create_silence(by=key, data={"name": "x", "site": robot.site, "starts_at": NOW}, now=NOW)


class TestReading:
    def test_narrows_by_site_and_kind(self, api, adam, plant):
        quiet = factories.make_silence(site=plant)
        work = factories.make_silence(kind="maintenance")
        client = api(adam)
        for query, found in (("kind=silence", quiet), ("kind=maintenance", work), (f"site={plant.pk}", quiet)):
            assert [row["id"] for row in client.get(f"{URL}?{query}").json()["results"]] == [found.pk]

    def test_shows_what_cannot_be_read_any_more(self, api, adam):
        silence = factories.make_silence(timezone="Mars/Olympus")
        answer = api(adam).get(f"{URL}{silence.pk}/").json()
        assert (answer["active"], answer["next_windows"]) == (False, [])

    def test_one_without_an_end_holds_on(self, api, adam):
        always = factories.make_silence(rrule="FREQ=DAILY", duration=48 * HOUR, ends_at=None, timezone="UTC")
        answer = api(adam).get(f"{URL}{always.pk}/").json()
        assert (answer["active"], answer["next_windows"]) == (True, [])

    def test_narrows_by_what_holds_now(self, api, adam):
        holding = factories.make_silence()
        nightly = factories.make_silence(rrule="FREQ=DAILY", duration=HOUR, starts_at=NOW - 3 * HOUR, ends_at=None)
        unread = factories.make_silence(timezone="Mars/Olympus")
        client = api(adam)
        for query, found in (("active=true", [holding.pk]), ("active=false", [nightly.pk, unread.pk])):
            assert sorted(row["id"] for row in client.get(f"{URL}?{query}").json()["results"]) == found
        assert client.get(f"{URL}?active=now").status_code == 400


class TestOtherSites:
    @pytest.fixture
    def far(self, other_site):
        return factories.make_equipment("Far", site=other_site)

    @pytest.fixture
    def wide(self, robot, far, other_site):
        """A silence of no site, by somebody who works everywhere, that names things of both sites."""
        rules = [factories.make_rule(site=robot.site).pk, factories.make_rule(site=other_site).pk]
        return factories.make_silence(site=None, matchers={"assets": [robot.pk, far.pk], "rules": rules})

    def test_nobody_reads_the_ids_of_what_he_may_not_see(self, api, vera, adam, wide, robot):
        everything = wide.matchers
        mine = {"assets": [robot.pk], "rules": everything["rules"][:1]}
        assert api(vera).get(f"{URL}{wide.pk}/").json()["matchers"] == mine
        assert [row["matchers"] for row in api(vera).get(URL).json()["results"]] == [mine]
        assert api(adam).get(f"{URL}{wide.pk}/").json()["matchers"] == everything

    def test_one_that_names_others_alone_does_not_look_as_if_it_were_for_all(self, api, vera, far):
        silence = factories.make_silence(site=None, matchers={"assets": [far.pk]})
        assert api(vera).get(f"{URL}{silence.pk}/").json()["matchers"] == {"assets": []}

    def test_reading_many_costs_no_more_than_reading_one(self, api, vera, wide, django_assert_num_queries):
        client = api(vera)
        with CaptureQueriesContext(connection) as one:
            client.get(URL)
        for _ in range(3):
            factories.make_silence(site=None, matchers=wide.matchers)
        with django_assert_num_queries(len(one)):
            assert client.get(URL).json()["count"] == 4

    def test_what_was_not_shown_stays_when_it_is_written_back(self, api, olga, plant, robot, far):
        silence = factories.make_silence(site=plant, matchers={"assets": [robot.pk, far.pk]})
        client = api(olga)
        url = f"{URL}{silence.pk}/"
        assert client.put(url, client.get(url).json(), format="json").status_code == 200
        assert client.patch(url, {"matchers": {"assets": None}}, format="json").json()["matchers"] == {"assets": []}
        silence.refresh_from_db()
        assert silence.matchers == {"assets": [far.pk]}

    def test_one_of_a_site_names_nothing_of_another(self, api, adam, once, far, other_site):
        rule = factories.make_rule(site=other_site)
        client = api(adam)
        for matchers, pointer in (
            ({"assets": [far.pk]}, "/matchers/assets"),
            ({"rules": [rule.pk]}, "/matchers/rules"),
        ):
            answer = client.post(URL, once | {"matchers": matchers}, format="json")
            assert (answer.status_code, pointers(answer)) == (400, [pointer])
        everywhere = client.post(URL, once | {"site": None, "matchers": {"assets": [far.pk]}}, format="json").json()
        moved = client.patch(f"{URL}{everywhere['id']}/", {"site": once["site"]}, format="json")
        assert (moved.status_code, pointers(moved)) == (400, ["/matchers/assets"])
        anywhere = factories.make_rule()
        assert client.post(URL, once | {"matchers": {"rules": [anywhere.pk]}}, format="json").status_code == 201


class TestPast:
    OVER = {"starts_at": "2026-11-20T09:00:00Z", "ends_at": "2026-11-20T11:00:00Z"}

    @pytest.mark.parametrize(
        ("times", "pointer"),
        [
            (OVER, "/ends_at"),
            (OVER | {"rrule": "FREQ=DAILY", "duration": "PT1H"}, "/ends_at"),
            ({"rrule": "FREQ=DAILY;COUNT=3", "duration": "PT1H", "starts_at": "2026-11-01T09:00:00Z"}, "/rrule"),
        ],
    )
    def test_one_that_would_hide_nothing_is_refused(self, api, olga, once, times, pointer):
        body = {name: value for name, value in once.items() if name != "ends_at"} | times
        answer = api(olga).post(URL, body, format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer])
        assert not Silence.objects.exists()

    def test_one_that_holds_may_be_ended_at_once_and_is_then_over(self, api, olga, once):
        client = api(olga)
        url = f"{URL}{client.post(URL, once, format='json').json()['id']}/"
        ended = client.patch(url, {"ends_at": "2026-11-21T09:59:59Z"}, format="json")
        assert (ended.status_code, ended.json()["active"]) == (200, False)
        assert client.patch(url, {"name": "Over"}, format="json").status_code == 200
        again = client.patch(url, {"ends_at": "2026-11-21T09:59:00Z"}, format="json")
        assert (again.status_code, pointers(again)) == (400, ["/ends_at"])
        assert client.patch(url, {"ends_at": "2026-11-21T12:00:00Z"}, format="json").json()["active"] is True
