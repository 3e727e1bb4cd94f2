"""Asset types and parameters over HTTP."""

from __future__ import annotations

import pytest

from techtrack.accounts.domain.access import Role
from techtrack.assets.models import AssetType, Parameter
from tests import factories

LIFT = {
    "slug": "lift",
    "name": "Lift",
    "parameters": [{"code": "load", "unit": "kg", "minimum": 0, "maximum": 500.5, "label": "Load"}],
    "strict": True,
    "expected_interval": "PT1M",
    "retention": "P365D",
}
STATE = {"code": "state", "name": "State", "unit": "", "precision": 0, "labels": {"0": "stopped", "1": "running"}}


@pytest.fixture
def engineer(api, db):
    """Types and parameters belong to all sites, and so does who writes them."""
    return api(factories.make_user("chief", role=Role.ENGINEER))


def pointers(response):
    return [fault["pointer"] for fault in response.json()["errors"]]


class TestAssetTypes:
    def test_it_is_made_read_changed_and_deleted(self, engineer):
        created = engineer.post("/api/asset-types/", LIFT, format="json")
        body = created.json()
        assert created.status_code == 201
        assert {name: body[name] for name in LIFT} == LIFT
        path = f"/api/asset-types/{body['id']}/"
        assert engineer.get(path).json() == body
        assert engineer.get("/api/asset-types/?slug=lift&search=lif&ordering=-name").json()["results"] == [body]
        replaced = engineer.put(path, {"slug": "lift", "name": "Hoist"}, format="json").json()
        assert (replaced["parameters"], replaced["strict"], replaced["retention"]) == ([], False, None)
        assert engineer.patch(path, {"name": "x"}, format="json", headers={"If-Match": '"1"'}).status_code == 412
        assert engineer.delete(path).status_code == 204

    def test_the_parameters_it_lists_are_registered(self, engineer):
        engineer.post("/api/asset-types/", LIFT, format="json")
        parameter = Parameter.objects.get()
        assert (parameter.code, parameter.unit, parameter.name) == ("load", "kg", "Load")

    def test_short_parameters_get_their_defaults(self, engineer):
        body = engineer.post("/api/asset-types/", LIFT | {"parameters": [{"code": "load"}]}, format="json").json()
        assert body["parameters"] == [{"code": "load", "unit": "", "minimum": None, "maximum": None, "label": ""}]

    def test_a_patch_holds_whole_parameters(self, engineer):
        path = f"/api/asset-types/{engineer.post('/api/asset-types/', LIFT, format='json').json()['id']}/"
        body = engineer.patch(path, {"parameters": [{"code": "speed"}]}, format="json").json()
        assert body["parameters"] == [{"code": "speed", "unit": "", "minimum": None, "maximum": None, "label": ""}]
        response = engineer.patch(path, {"parameters": [{"unit": "kg"}]}, format="json")
        assert (response.status_code, pointers(response)) == (400, ["/parameters/0/code"])

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            pytest.param({"slug": "no slug"}, "/slug", id="no slug"),
            pytest.param({"parameters": {}}, "/parameters", id="dict for a list"),
            pytest.param({"parameters": [{"code": "Load"}]}, "/parameters/0/code", id="capital in a code"),
            pytest.param({"parameters": [{"code": "a b"}]}, "/parameters/0/code", id="space in a code"),
            pytest.param({"parameters": [{"code": "a"}, {"code": "a"}]}, "/parameters", id="code twice"),
            pytest.param({"parameters": [{"code": "a", "minimum": "1"}]}, "/parameters/0/minimum", id="text as number"),
            pytest.param(
                {"parameters": [{"code": "a", "minimum": 10**400}]}, "/parameters/0/minimum", id="beyond a float"
            ),
            pytest.param(
                {"parameters": [{"code": "a", "minimum": 2, "maximum": 1}]}, "/parameters/0/maximum", id="empty range"
            ),
            pytest.param({"retention": "P99999D"}, "/retention", id="longer than any archive"),
            pytest.param({"strict": "perhaps"}, "/strict", id="no flag"),
        ],
    )
    def test_bad_input_is_a_400_that_names_the_place(self, engineer, change, pointer):
        response = engineer.post("/api/asset-types/", LIFT | change, format="json")
        assert (response.status_code, pointers(response)) == (400, [pointer])
        assert not AssetType.objects.exists()

    def test_a_slug_is_taken_once(self, engineer):
        factories.make_type("lift")
        assert engineer.post("/api/asset-types/", LIFT, format="json").status_code == 409

    def test_one_in_use_stays(self, engineer, robot):
        response = engineer.delete(f"/api/asset-types/{robot.type_id}/")
        assert (response.status_code, response.json()["code"]) == (409, "in_use")

    @pytest.mark.parametrize(("make", "words"), [("make_rule", "rules name"), ("make_route", "routes name")])
    def test_one_that_a_rule_or_route_names_stays(self, engineer, make, words):
        kind = factories.make_type("press")
        row = getattr(factories, make)(asset_type=kind)
        response = engineer.delete(f"/api/asset-types/{kind.pk}/")
        assert (response.status_code, response.json()["code"]) == (409, "in_use")
        assert words in response.json()["detail"]
        row.refresh_from_db()
        assert row.asset_type == kind

    def test_an_engineer_of_one_site_reads_them(self, api, erik, robot, mallory):
        path = f"/api/asset-types/{robot.type_id}/"
        assert api(erik).get(path).status_code == 200
        assert api(erik).patch(path, {"name": "x"}, format="json").status_code == 403
        assert api(erik).delete(path).status_code == 403
        assert api(erik).post("/api/asset-types/", LIFT, format="json").status_code == 403
        assert api(mallory).get(path).status_code == 404

    def test_a_short_list_is_one_query(self, engineer, django_assert_num_queries):
        for number in range(20):
            factories.make_type(f"type-{number}")
        with django_assert_num_queries(1):
            assert engineer.get("/api/asset-types/").json()["count"] == 20


class TestParameters:
    def test_it_is_made_read_changed_and_deleted(self, engineer):
        created = engineer.post("/api/parameters/", STATE, format="json")
        body = created.json()
        assert created.status_code == 201
        assert {name: body[name] for name in STATE} == STATE
        path = f"/api/parameters/{body['id']}/"
        assert engineer.get("/api/parameters/?code=state").json()["results"] == [body]
        replaced = engineer.put(path, {"code": "state"}, format="json", headers={"If-Match": '"1"'}).json()
        assert (replaced["labels"], replaced["precision"], replaced["name"]) == ({}, None, "")
        assert engineer.patch(path, {"name": "x"}, format="json", headers={"If-Match": '"1"'}).status_code == 412
        assert engineer.delete(path).status_code == 204

    def test_its_code_stays(self, engineer):
        pk = engineer.post("/api/parameters/", STATE, format="json").json()["id"]
        response = engineer.patch(f"/api/parameters/{pk}/", {"code": "mood"}, format="json")
        assert (response.status_code, pointers(response)) == (400, ["/code"])

    def test_one_that_a_type_lists_stays(self, engineer):
        engineer.post("/api/asset-types/", LIFT, format="json")
        response = engineer.delete(f"/api/parameters/{Parameter.objects.get().pk}/")
        assert (response.status_code, response.json()["code"]) == (409, "in_use")

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            pytest.param({"code": "1st"}, "/code", id="begins with a digit"),
            pytest.param({"code": "x" * 65}, "/code", id="long code"),
            pytest.param({"precision": -1}, "/precision", id="negative precision"),
            pytest.param({"precision": 2**70}, "/precision", id="huge precision"),
            pytest.param({"labels": {"0": 1}}, "/labels", id="label is no text"),
            pytest.param({"labels": ["stopped"]}, "/labels", id="list for an object"),
            pytest.param({"unit": "x" * 41}, "/unit", id="long unit"),
        ],
    )
    def test_bad_input_is_a_400_that_names_the_field(self, engineer, change, pointer):
        response = engineer.post("/api/parameters/", STATE | change, format="json")
        assert response.status_code == 400
        assert set(pointers(response)) == {pointer}

    def test_a_code_is_registered_once(self, engineer):
        for status in (201, 409):
            assert engineer.post("/api/parameters/", STATE, format="json").status_code == status

    def test_a_short_list_is_one_query(self, engineer, now, django_assert_num_queries):
        Parameter.objects.bulk_create(
            Parameter(code=f"p{number}", created_at=now, updated_at=now) for number in range(20)
        )
        with django_assert_num_queries(1):
            assert engineer.get("/api/parameters/").json()["count"] == 20
