"""Asset types that begin with a pack, over HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.queries import access_of
from techtrack.alerts.models import Rule
from techtrack.alerts.services import packs as alert_packs
from techtrack.assets import queries, services
from techtrack.assets.models import AssetType, Parameter
from techtrack.core.errors import Invalid
from tests import factories
from tests.factories import NOW

PACKS = "/api/asset-types/packs/"
TYPES = "/api/asset-types/"


@pytest.fixture
def engineer(api, db):
    """Types belong to all sites, and so does who makes them."""
    return api(factories.make_user("chief", role=Role.ENGINEER))


class TestPacks:
    def test_are_listed_with_their_contents(self, api, vera):
        listed = {pack["slug"]: pack for pack in api(vera).get(PACKS).json()["results"]}
        assert set(listed) == set(queries.packs())
        pump = listed["pump"]
        assert (pump["expected_interval"], pump["retention"]) == ("PT10S", "P730D")
        assert pump["parameters"][0] == {
            "code": "speed",
            "label": "Shaft speed",
            "unit": "/min",
            "minimum": 0.0,
            "maximum": 3600.0,
            "typical": 1480.0,
        }
        assert pump["rules"][0]["name"] == "Pump runs dry"
        assert pump["sources"]

    def test_are_nothing_for_somebody_without_a_role(self, api, mallory):
        assert api(mallory).get(PACKS).json() == {"results": []}
        assert api(None).get(PACKS).status_code == 401

    def test_take_no_parameter(self, engineer):
        assert engineer.get(f"{PACKS}?page=1").status_code == 400


class TestATypeOfAPack:
    def test_has_all_that_the_pack_says(self, engineer):
        response = engineer.post(TYPES, {"pack": "pump"}, format="json")
        body, pump = response.json(), queries.packs()["pump"]
        assert response.status_code == 201
        assert (body["slug"], body["name"], body["expected_interval"]) == ("pump", "Pump", "PT10S")
        assert body["parameters"] == pump.columns()["parameters"]
        assert "pack" not in body
        assert engineer.get(f"{TYPES}{body['id']}/").json() == body
        assert Parameter.objects.get(code="flow").unit == "m3/h"

    def test_has_its_rules(self, engineer):
        engineer.post(TYPES, {"pack": "pump", "slug": "feed-pump"}, format="json")
        listed = engineer.get("/api/rules/?asset_type=feed-pump&page_size=100").json()["results"]
        assert sorted(rule["name"] for rule in listed) == sorted(rule["name"] for rule in queries.packs()["pump"].rules)
        assert {rule["scope"]["asset_type"] for rule in listed} == {"feed-pump"}
        assert {rule["scope"]["site"] for rule in listed} == {None}

    def test_keeps_what_was_given(self, engineer):
        given = {"slug": "booster", "name": "Booster", "expected_interval": None, "parameters": [{"code": "speed"}]}
        body = engineer.post(TYPES, {"pack": "pump"} | given, format="json").json()
        assert (body["slug"], body["name"], body["expected_interval"]) == ("booster", "Booster", None)
        assert [one["code"] for one in body["parameters"]] == ["speed"]
        assert body["retention"] == "P730D"

    def test_without_a_pack_needs_slug_and_name(self, engineer):
        for body in ({}, {"pack": None}):
            response = engineer.post(TYPES, body, format="json")
            pointers = [fault["pointer"] for fault in response.json()["errors"]]
            assert (response.status_code, pointers) == (400, ["/name", "/slug"])
        assert engineer.post(TYPES, {"slug": "lift", "name": "Lift", "pack": None}, format="json").status_code == 201
        assert not Rule.objects.exists()

    @pytest.mark.parametrize("name", ["submarine", "../pump", "pump.yaml"])
    def test_of_no_known_pack_is_refused_with_the_list(self, engineer, name):
        response = engineer.post(TYPES, {"pack": name}, format="json")
        fault = response.json()["errors"][0]
        assert (response.status_code, fault["pointer"]) == (400, "/pack")
        assert "pump" in fault["detail"] or fault["code"] == "invalid"
        assert not AssetType.objects.exists()

    def test_is_made_once(self, engineer):
        assert engineer.post(TYPES, {"pack": "pump"}, format="json").status_code == 201
        rules = Rule.objects.count()
        assert engineer.post(TYPES, {"pack": "pump"}, format="json").status_code == 409
        assert Rule.objects.count() == rules

    def test_names_its_pack_only_when_it_is_made(self, engineer):
        path = f"{TYPES}{engineer.post(TYPES, {'pack': 'pump'}, format='json').json()['id']}/"
        assert engineer.patch(path, {"pack": "pump"}, format="json").status_code == 400

    def test_is_not_for_engineers_of_one_site(self, api, erik):
        assert api(erik).post(TYPES, {"pack": "pump"}, format="json").status_code == 403
        assert not AssetType.objects.exists()
        assert not Rule.objects.exists()

    def test_is_not_for_a_key_of_one_site(self, api, plant, adam):
        client = api(adam)
        narrowed = replace(access_of(adam), scope=Scope.WRITE, only_site=plant.pk)
        client.force_authenticate(adam, token=narrowed)
        assert client.post(TYPES, {"pack": "pump"}, format="json").status_code == 403

    def test_is_not_made_when_one_of_its_rules_cannot_be(self, adam, monkeypatch):
        def refuse(*_, **__):
            raise Invalid("no such rule")

        monkeypatch.setattr(alert_packs, "create_rule", refuse)
        with pytest.raises(Invalid):
            services.create_asset_type(by=access_of(adam), now=NOW, data={}, pack="pump")
        assert not AssetType.objects.exists()
        assert not Parameter.objects.exists()


class TestColumns:
    def test_reads_what_a_rule_tells_of_itself(self):
        told = {"name": "x", "on_delay": "PT15S", "late_data": {"max_age": "PT2H"}, "guidance": {"cause": "y"}}
        given = alert_packs.columns(told)
        assert {name: str(value) for name, value in given.items()} == {
            "name": "x",
            "on_delay": "0:00:15",
            "late_max_age": "2:00:00",
            "guidance": "{'cause': 'y'}",
        }

    @pytest.mark.parametrize("told", [{"on_delay": "soon"}, {"on_delay": 15}, {"colour": "red"}, {"scope": {}}])
    def test_refuses_what_no_rule_has(self, told):
        with pytest.raises(Invalid):
            alert_packs.columns(told)
