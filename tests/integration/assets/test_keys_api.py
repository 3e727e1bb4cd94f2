"""API and device keys over HTTP: shown once, narrowed, and never worth more than their maker."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from techtrack.accounts import queries as accounts
from techtrack.accounts.models import ApiKey
from tests import factories

FIELDS = [
    *("id", "name", "prefix", "scope", "asset", "site", "expires_at", "allowed_addresses", "last_used"),
    *("old_until", "created_by", "version", "created_at"),
]


def pointers(response):
    return [fault["pointer"] for fault in response.json()["errors"]]


def machine(text):
    """A client that shows a key."""
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=text)
    return client


def mint(client, **fields):
    response = client.post("/api/keys/", {"name": "gateway", "scope": "ingest"} | fields, format="json")
    assert response.status_code == 201, response.content
    return response.json()


class TestKeys:
    def test_the_text_is_shown_once(self, api, olga, plant, robot):
        response = api(olga).post(
            "/api/keys/",
            {
                "name": "gateway",
                "scope": "ingest",
                "asset": robot.pk,
                "site": plant.pk,
                "expires_at": "2099-01-01T00:00:00Z",
            },
            format="json",
        )
        body = response.json()
        assert list(body) == [*FIELDS, "key"]
        assert (body["asset"], body["site"], body["created_by"]) == (robot.pk, plant.pk, olga.pk)
        assert response["Location"].endswith(f"/api/keys/{body['id']}/")
        shown = api(olga).get(f"/api/keys/{body['id']}/").json()
        assert list(shown) == FIELDS
        assert api(olga).get("/api/keys/").json()["results"] == [shown]
        assert body["key"] not in str(list(ApiKey.objects.values()))

    def test_an_idempotency_key_does_not_keep_the_text(self, api, olga):
        made = {mint(api(olga))["key"] for _ in range(2)}
        assert len(made) == 2

    def test_a_viewer_makes_read_keys_only(self, api, vera):
        client = api(vera)
        for scope, status in (("read", 201), ("ingest", 403), ("write", 403)):
            assert client.post("/api/keys/", {"name": "x", "scope": scope}, format="json").status_code == status

    def test_an_outsider_makes_none(self, api, mallory):
        for scope in ("read", "ingest", "write"):
            response = api(mallory).post("/api/keys/", {"name": "x", "scope": scope}, format="json")
            assert response.status_code == 403

    def test_a_read_key_reads_what_its_maker_sees(self, api, erik, robot, other_site):
        factories.make_equipment(site=other_site)
        client = machine(mint(api(erik), scope="read")["key"])
        assert [row["id"] for row in client.get("/api/equipment/").json()["results"]] == [robot.pk]
        assert client.patch(f"/api/equipment/{robot.pk}/", {"name": "x"}, format="json").status_code == 403

    def test_a_key_of_one_asset_reaches_that_one(self, api, erik, plant, robot):
        other = factories.make_equipment(site=plant)
        client = machine(mint(api(erik), scope="write", asset=robot.pk)["key"])
        assert [row["id"] for row in client.get("/api/equipment/").json()["results"]] == [robot.pk]
        assert client.patch(f"/api/equipment/{robot.pk}/", {"name": "x"}, format="json").status_code == 200
        assert client.patch(f"/api/equipment/{other.pk}/", {"name": "x"}, format="json").status_code == 404
        assert client.post("/api/equipment/", {"name": "x"}, format="json").status_code == 403

    def test_an_ingest_key_reads_no_assets(self, api, erik, robot):
        client = machine(mint(api(erik))["key"])
        assert client.get("/api/equipment/").status_code == 403
        assert client.get(f"/api/equipment/{robot.pk}/").status_code == 403

    def test_keys_make_no_keys(self, api, erik):
        client = machine(mint(api(erik), scope="write")["key"])
        assert client.post("/api/keys/", {"name": "x", "scope": "read"}, format="json").status_code == 403
        assert client.get("/api/keys/").status_code == 403

    def test_a_rotated_key_opens_with_its_new_text_only(self, api, erik):
        made = mint(api(erik), scope="read")
        rotated = api(erik).post(f"/api/keys/{made['id']}/rotate/")
        assert rotated.status_code == 201
        assert rotated["Location"].endswith(f"/api/keys/{made['id']}/")
        assert machine(made["key"]).get("/api/equipment/").status_code == 401
        assert machine(rotated.json()["key"]).get("/api/equipment/").status_code == 200
        stale = api(erik).post(f"/api/keys/{made['id']}/rotate/", headers={"If-Match": '"1"'})
        assert stale.status_code == 412

    def test_a_rotated_key_opens_with_its_old_text_too_where_an_overlap_is_asked_for(self, api, erik):
        made = mint(api(erik), scope="read")
        rotated = api(erik).post(f"/api/keys/{made['id']}/rotate/", {"overlap": 3600}, format="json")
        assert rotated.json()["old_until"] is not None
        for text in (made["key"], rotated.json()["key"]):
            assert machine(text).get("/api/equipment/").status_code == 200
        refused = api(erik).post(f"/api/keys/{made['id']}/rotate/", {"overlap": 7 * 86400 + 1}, format="json")
        assert (refused.status_code, pointers(refused)) == (400, ["/overlap"])

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("unused=true", {"new", "ending"}),
            ("unused=false", {"used"}),
            ("expires_before=2027-01-01T00:00:00Z", {"ending"}),
            ("last_used_before=2026-11-22T00:00:00Z", {"used"}),
        ],
    )
    def test_those_that_nobody_uses_or_that_end_soon_are_found(self, query, names, api, erik, adam, now):
        factories.make_key(erik)
        factories.make_key(erik)
        factories.make_key(erik)
        for key, (name, fields) in zip(
            ApiKey.objects.order_by("pk"),
            [("new", {}), ("used", {"last_used": now}), ("ending", {"expires_at": now})],
            strict=True,
        ):
            ApiKey.objects.filter(pk=key.pk).update(name=name, **fields)
        found = api(adam).get(f"/api/keys/?{query}&created_by={erik.pk}").json()["results"]
        assert {row["name"] for row in found} == names

    def test_a_deleted_key_opens_nothing(self, api, erik):
        made = mint(api(erik), scope="read")
        assert api(erik).delete(f"/api/keys/{made['id']}/").status_code == 204
        assert machine(made["key"]).get("/api/equipment/").status_code == 401

    def test_a_key_of_a_deleted_asset_opens_nothing(self, api, erik, robot):
        made = mint(api(erik), scope="read", asset=robot.pk)
        api(erik).delete(f"/api/equipment/{robot.pk}/")
        assert machine(made["key"]).get("/api/equipment/").status_code == 401

    def test_others_do_not_see_it_and_an_admin_does(self, api, erik, olga, adam):
        path = f"/api/keys/{mint(api(erik))['id']}/"
        assert api(olga).get(path).status_code == 404
        assert api(olga).delete(path).status_code == 404
        assert api(olga).post(f"{path}rotate/").status_code == 404
        assert api(adam).get(path).status_code == 200

    def test_a_put_resets_what_it_leaves_out(self, api, erik, plant, robot):
        made = mint(api(erik), asset=robot.pk, site=plant.pk, allowed_addresses=["10.0.0.0/8"])
        assert made["allowed_addresses"] == ["10.0.0.0/8"]
        path = f"/api/keys/{made['id']}/"
        body = {"name": "gate", "scope": "ingest"}
        replaced = api(erik).put(path, body, format="json", headers={"If-Match": '"1"'}).json()
        assert (replaced["asset"], replaced["site"], replaced["allowed_addresses"]) == (None, None, [])
        assert api(erik).patch(path, body, format="json", headers={"If-Match": '"1"'}).status_code == 412

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            pytest.param({"scope": "all"}, "/scope", id="unknown scope"),
            pytest.param({"asset": 10**9}, "/asset", id="absent asset"),
            pytest.param({"asset": "robot-1"}, "/asset", id="text for an id"),
            pytest.param({"site": 10**9}, "/site", id="absent site"),
            pytest.param({"expires_at": "2001-01-01T00:00:00Z"}, "/expires_at", id="dead before its first use"),
            pytest.param({"expires_at": "soon"}, "/expires_at", id="no time"),
            pytest.param({"allowed_addresses": ["here"]}, "/allowed_addresses/0", id="no address"),
            pytest.param({"allowed_addresses": "10.0.0.1"}, "/allowed_addresses", id="text for a list"),
        ],
    )
    def test_bad_input_is_a_400_that_names_the_field(self, api, erik, robot, change, pointer):
        response = api(erik).post("/api/keys/", {"name": "x", "scope": "ingest"} | change, format="json")
        assert (response.status_code, pointers(response)) == (400, [pointer])
        assert not ApiKey.objects.exists()

    def test_a_foreign_asset_and_site_do_not_exist(self, api, erik, other_site):
        foreign = factories.make_equipment(site=other_site)
        for field, pk in (("asset", foreign.pk), ("site", other_site.pk)):
            response = api(erik).post("/api/keys/", {"name": "x", "scope": "ingest", field: pk}, format="json")
            assert (response.status_code, pointers(response)) == (400, [f"/{field}"])

    def test_a_short_list_is_one_query(self, api, erik, django_assert_num_queries):
        client = api(erik)
        for _ in range(5):
            mint(client)
        with django_assert_num_queries(1):
            assert client.get("/api/keys/?scope=ingest&ordering=-last_used").json()["count"] == 5

    def test_its_authority_is_its_makers(self, api, olga, robot):
        made = mint(api(olga), asset=robot.pk)
        access = accounts.access_of_key(ApiKey.objects.select_related("created_by").get(pk=made["id"]))
        assert (access.only_asset, access.scope, access.role_at(robot.site_id)) == (robot.pk, "ingest", "operator")
