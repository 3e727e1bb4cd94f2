"""Rules over the API: what they may say, and who may say it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from techtrack.accounts import queries as accounts
from techtrack.accounts.domain.access import Access, Role, Scope
from techtrack.alerts import services
from techtrack.alerts.models import Alert, Rule
from techtrack.core.errors import Forbidden
from tests import factories

URL = "/api/rules/"
ABOVE = {"kind": "above", "limit": 90.0, "severity": "critical"}


@pytest.fixture
def body(plant):
    return {
        "name": "Bearing temperature",
        "scope": {"site": plant.pk},
        "parameter": "temperature",
        "conditions": [{"kind": "above", "limit": 80, "severity": "high"}, ABOVE],
    }


def pointers(answer):
    return [error["pointer"] for error in answer.json()["errors"]]


class TestWriting:
    def test_an_engineer_makes_one(self, api, erik, body, plant, heard):
        answer = api(erik).post(URL, body, format="json")
        assert answer.status_code == 201, answer.json()
        rule = answer.json()
        assert rule["scope"] == {"asset_type": None, "site": plant.pk, "assets": [], "tags": []}
        assert rule["conditions"] == [ABOVE, {"kind": "above", "limit": 80.0, "severity": "high"}]
        assert (rule["deadband"], rule["on_delay"], rule["off_delay"]) == (0.0, "PT0S", "PT0S")
        assert (rule["open_task"], rule["guidance"], rule["enabled"]) == (None, {}, True)
        assert [type(fact).__name__ for fact in heard] == ["RuleChanged"]

    def test_one_of_the_same_name_and_scope_is_warned_of(self, api, erik, adam, body, other_site):
        client = api(erik)
        first, second = (client.post(URL, body, format="json").json() for _ in range(2))
        assert first["warning"] is None
        assert second["warning"].startswith(f"of the same name and scope is rule {first['id']}: ")
        others = [body | {"name": "Other"}, body | {"scope": body["scope"] | {"tags": ["cnc"]}}]
        others.append(body | {"scope": {"site": other_site.pk}})
        assert [api(adam).post(URL, one, format="json").json()["warning"] for one in others] == [None] * 3
        renamed = client.patch(f"{URL}{second['id']}/", {"name": "Another"}, format="json").json()
        assert renamed["warning"] is None

    def test_all_of_it_comes_back_as_it_was_sent(self, api, erik, body, robot):
        full = body | {
            "scope": {"asset_type": "robot", "site": robot.site_id, "assets": [robot.pk], "tags": ["cnc"]},
            "conditions": [ABOVE],
            "deadband": 2.0,
            "on_delay": "PT5M",
            "off_delay": "PT2M",
            "open_task": {"title": "Grease it", "priority": 3, "description": ""},
            "guidance": {"cause": "Dry", "respond_within": "PT10M"},
            "enabled": False,
        }
        client = api(erik)
        rule = client.post(URL, full, format="json").json()
        assert {name: rule[name] for name in full} == full
        again = client.put(f"{URL}{rule['id']}/", rule, format="json")
        assert {name: again.json()[name] for name in full} == full

    def test_patch_merges_and_put_replaces(self, api, erik, body, plant, robot):
        client = api(erik)
        body["scope"] |= {"tags": ["cnc"]}
        url = f"{URL}{client.post(URL, body | {'deadband': 2.0}, format='json').json()['id']}/"
        merged = client.patch(url, {"scope": {"assets": [robot.pk]}}, format="json").json()
        assert merged["scope"] == {"asset_type": None, "site": plant.pk, "assets": [robot.pk], "tags": ["cnc"]}
        assert merged["deadband"] == 2.0
        replaced = client.put(url, body | {"scope": {"site": plant.pk}}, format="json").json()
        assert replaced["scope"] == {"asset_type": None, "site": plant.pk, "assets": [], "tags": []}
        assert (replaced["deadband"], replaced["version"]) == (0.0, 3)

    def test_null_in_a_patch_returns_to_the_default(self, api, erik, adam, body, robot):
        client = api(erik)
        full = body | {"guidance": {"cause": "Dry", "action": "Grease"}, "open_task": {"title": "Grease it"}}
        url = f"{URL}{client.post(URL, full, format='json').json()['id']}/"
        patched = client.patch(url, {"guidance": {"cause": None}, "open_task": None}, format="json").json()
        assert (patched["guidance"], patched["open_task"]) == ({"action": "Grease"}, None)
        # Then it would watch all sites.
        wider = {"scope": {"site": None}}
        assert client.patch(url, wider, format="json").status_code == 403
        assert api(adam).patch(url, wider, format="json").json()["scope"]["site"] is None

    def test_a_put_without_scope_would_watch_all_sites(self, api, erik, adam, body):
        client = api(erik)
        url = f"{URL}{client.post(URL, body, format='json').json()['id']}/"
        del body["scope"]
        assert client.put(url, body, format="json").status_code == 403
        assert api(adam).put(url, body, format="json").json()["scope"]["site"] is None

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"name": ""}, "/name"),
            ({"parameter": "No Code"}, "/parameter"),
            ({"conditions": []}, "/conditions"),
            ({"conditions": {}}, "/conditions"),
            ({"conditions": [5]}, "/conditions/0"),
            ({"conditions": [{"kind": "sideways"}]}, "/conditions/0/kind"),
            ({"conditions": [{"kind": ["above"]}]}, "/conditions/0/kind"),
            ({"conditions": [{"kind": "above"}]}, "/conditions/0/limit"),
            ({"conditions": [{"kind": "above", "limit": "9"}]}, "/conditions/0/limit"),
            ({"conditions": [{"kind": "above", "limit": True}]}, "/conditions/0/limit"),
            ({"conditions": [{"kind": "above", "limit": 10**400}]}, "/conditions/0/limit"),
            ({"conditions": [{"kind": "above", "limit": 1, "limits": 2}]}, "/conditions/0/limits"),
            ({"conditions": [{"kind": "above", "limit": 1, "severity": "dire"}]}, "/conditions/0/severity"),
            ({"deadband": -1}, "/deadband"),
            ({"deadband": "NaN"}, "/deadband"),
            ({"deadband": True}, "/deadband"),
            ({"deadband": 10**400}, "/deadband"),
            ({"on_delay": "5 minutes"}, "/on_delay"),
            ({"on_delay": "-PT5M"}, "/on_delay"),
            ({"off_delay": 5}, "/off_delay"),
            ({"open_task": {"priority": 9}}, "/open_task/priority"),
            ({"open_task": []}, "/open_task"),
            ({"guidance": {"respond_within": "soon"}}, "/guidance/respond_within"),
            ({"scope": {"assets": [2**70]}}, "/scope/assets/0"),
            ({"scope": {"assets": [2**40]}}, "/scope/assets"),
            ({"scope": {"tags": "cnc"}}, "/scope/tags"),
            ({"scope": {"site": 2**70}}, "/scope/site"),
            ({"scope": {"site": "1"}}, "/scope/site"),
            ({"scope": {"asset_type": "unheard-of"}}, "/scope/asset_type"),
            ({"scope": {"asset_type": {}}}, "/scope/asset_type"),
            ({"scope": []}, "/scope"),
        ],
    )
    def test_bad_input_is_named_and_nothing_stored(self, api, erik, body, changes, pointer):
        if "scope" in changes and isinstance(changes["scope"], dict):
            changes = {"scope": body["scope"] | changes["scope"]}
        answer = api(erik).post(URL, body | changes, format="json")
        assert (answer.status_code, pointers(answer)) == (400, [pointer])
        assert not Rule.objects.exists()

    def test_deleting_it_ends_what_it_found(self, api, erik, body, robot, heard):
        client = api(erik)
        pk = client.post(URL, body, format="json").json()["id"]
        alert = Alert.objects.create(
            rule_id=pk, asset_id=robot.pk, severity="high", title="Hot", raised_at=factories.NOW, **factories.STAMPS
        )
        heard.clear()
        assert client.delete(f"{URL}{pk}/").status_code == 204
        alert.refresh_from_db()
        assert (alert.active, alert.is_open, alert.rule_id) == (False, True, None)
        assert [type(fact).__name__ for fact in heard] == [
            "AlertReturned",
            "AssetHealthChanged",
            "RuleChanged",
            "AlertChanged",
        ]

    def test_a_stale_version_is_412(self, api, erik, body):
        client = api(erik)
        url = f"{URL}{client.post(URL, body, format='json').json()['id']}/"
        for answer in (
            client.patch(url, {"enabled": False}, format="json", headers={"If-Match": '"7"'}),
            client.delete(url, headers={"If-Match": '"7"'}),
        ):
            assert answer.status_code == 412
        assert Rule.objects.get().enabled


class TestRights:
    def test_only_an_engineer_of_the_site(self, api, olga, vera, mallory, edda, body):
        assert api(olga).post(URL, body, format="json").status_code == 403
        assert api(vera).post(URL, body, format="json").status_code == 403
        # To them the site does not exist.
        assert api(mallory).post(URL, body, format="json").status_code == 400
        assert api(edda).post(URL, body, format="json").status_code == 400
        assert not Rule.objects.exists()

    def test_without_site_it_takes_all_sites_or_named_assets(self, api, erik, adam, body, robot, other_site):
        elsewhere = factories.make_equipment(site=other_site)
        client = api(erik)
        assert client.post(URL, body | {"scope": {}}, format="json").status_code == 403
        assert client.post(URL, body | {"scope": {"assets": [robot.pk]}}, format="json").status_code == 201
        # Of the other site he sees nothing, so it is the reference that is wrong.
        both = body | {"scope": {"assets": [robot.pk, elsewhere.pk]}}
        assert client.post(URL, both, format="json").status_code == 400
        assert api(adam).post(URL, both, format="json").status_code == 201

    def test_a_rule_cannot_be_taken_from_or_brought_to_a_foreign_site(self, api, adam, erik, edda, body, other_site):
        pk = api(adam).post(URL, body, format="json").json()["id"]
        assert api(edda).patch(f"{URL}{pk}/", {"enabled": False}, format="json").status_code == 404
        moved = api(erik).patch(f"{URL}{pk}/", {"scope": {"site": other_site.pk}}, format="json")
        assert moved.status_code == 400

    def test_a_key_for_one_asset_sees_and_makes_none(self, erik, robot, plant, now):
        data = {"name": "x", "parameter": "t", "conditions": [ABOVE], "site": plant, "assets": [robot.pk]}
        key = Access(erik.pk, "erik", at={plant.pk: Role.ENGINEER}, scope=Scope.WRITE, only_asset=robot.pk, key_id=1)
        factories.make_rule(**data)
        assert Rule.objects.visible_to(accounts.access_of(erik)).count() == 1
        for bound in (key, replace(key, everywhere=Role.ADMIN)):
            assert not Rule.objects.visible_to(bound).exists()
            with pytest.raises(Forbidden):
                services.create_rule(by=bound, now=now, data=data)

    def test_a_deleted_asset_in_the_scope_can_be_sent_back(self, api, erik, body, robot):
        client = api(erik)
        body["scope"]["assets"] = [robot.pk]
        rule = client.post(URL, body, format="json").json()
        robot.delete()
        assert client.put(f"{URL}{rule['id']}/", rule, format="json").status_code == 200

    def test_rules_are_seen_by_the_people_of_the_site(self, api, adam, vera, oscar, mallory, body):
        client = api(adam)
        client.post(URL, body, format="json")
        client.post(URL, body | {"name": "All", "scope": {}}, format="json")
        for person, count in ((vera, 2), (oscar, 1), (mallory, 0)):
            assert api(person).get(URL).json()["count"] == count
        assert client.get(f"{URL}?enabled=false").json()["count"] == 0
        assert client.get(f"{URL}?search=bear&parameter=temperature").json()["count"] == 1
        assert client.get(f"{URL}?enabled=yes").status_code == 400

    def test_one_without_site_that_names_assets_is_for_those_who_see_them_all(
        self, api, adam, erik, edda, mallory, robot, station, other_site
    ):
        gone, homeless = factories.make_equipment(), factories.make_equipment()
        elsewhere = factories.make_equipment(site=other_site)
        named = [[], [robot.pk, station.pk], [robot.pk, gone.pk], [robot.pk, elsewhere.pk], [robot.pk, homeless.pk]]
        for number, assets in enumerate([*named, [elsewhere.pk]]):
            factories.make_rule(name=str(number), assets=assets)
        gone.delete()
        for person, names in ((adam, "012345"), (erik, "012"), (edda, "05"), (mallory, "")):
            assert "".join(row["name"] for row in api(person).get(URL).json()["results"]) == names
