"""Equipment and sensors over HTTP: one implementation behind two doors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from techtrack.assets.events import WhatHolds
from techtrack.assets.models import Asset, AssetState, AssetType, Health
from techtrack.core import events
from techtrack.core.models import IdempotencyRecord
from tests import factories

DOORS = pytest.mark.parametrize("door", ["equipment", "sensors"])
FIELDS = [
    *("id", "key", "name", "type", "model", "serial_number", "manufacturer", "installation_date", "status", "site"),
    *("parent", "location", "description", "attributes", "expected_interval", "tags", "health", "last_seen"),
    *("clock_ahead", "version", "created_at", "updated_at"),
]
FULL = {
    "key": "press-7",
    "name": "Press 7",
    "type": "hydraulic-press",
    "model": "HP-200",
    "serial_number": "SN 1",
    "manufacturer": "Müller",
    "installation_date": "2024-02-29",
    "status": "maintenance",
    "location": {"latitude": 52.5, "longitude": -13.25},
    "description": "By the door.\nHandle with care.",
    "attributes": {"voltage": 400, "phases": ["L1", "L2"]},
    "expected_interval": "PT5M",
    "tags": ["hall 3", 'say "hi"', "ключ"],
}


@pytest.fixture
def client(api, erik):
    return api(erik)


@pytest.fixture
def held():
    """Something above keeps data of every asset."""

    def answer(_question):
        return ["3 alerts", "120 readings"]

    events.answer(WhatHolds, answer)
    yield
    events._answers[WhatHolds].remove(answer)


def pointers(response):
    return [fault["pointer"] for fault in response.json()["errors"]]


@DOORS
class TestCreating:
    def test_a_name_is_enough(self, client, plant, door):
        response = client.post(f"/api/{door}/", {"name": "Press"}, format="json")
        body = response.json()
        assert response.status_code == 201
        assert body["site"] == plant.pk
        assert body["status"] == "active"
        assert body["health"] == "unknown"
        assert body["location"] is body["last_seen"] is body["key"] is body["type"] is None
        assert response["Location"].endswith(f"/api/{door}/{body['id']}/")
        assert response["ETag"] == '"1"'

    def test_what_is_sent_comes_back(self, client, plant, door):
        parent = client.post(f"/api/{door}/", {"name": "Hall"}, format="json").json()
        sent = FULL | {"site": plant.pk, "parent": parent["id"]}
        created = client.post(f"/api/{door}/", sent, format="json").json()
        assert {name: created[name] for name in sent} == sent
        assert client.get(f"/api/{door}/{created['id']}/").json() == created
        assert AssetType.objects.get(slug="hydraulic-press").name == "Hydraulic Press"

    def test_the_fields_are_those_of_the_contract(self, client, door):
        body = client.post(f"/api/{door}/", {"name": "Press"}, format="json").json()
        assert list(body) == FIELDS

    def test_an_idempotency_key_makes_one(self, client, door):
        for _ in range(2):
            response = client.post(f"/api/{door}/", {"name": "Press"}, format="json", headers={"Idempotency-Key": "a"})
            assert response.status_code == 201
        assert Asset.objects.count() == 1
        assert IdempotencyRecord.objects.count() == 1

    def test_an_idempotency_key_changes_once_and_deletes_once(self, client, door):
        made = client.post(f"/api/{door}/", {"name": "Press"}, format="json")
        path, patch = made["Location"], {"path": made["Location"], "data": {"name": "Lathe"}, "format": "json"}
        headers = {"Idempotency-Key": "a", "If-Match": made["ETag"]}
        first, again = client.patch(**patch, headers=headers), client.patch(**patch, headers=headers)
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.content == first.content
        assert (again["ETag"], again["Idempotency-Replayed"]) == (first["ETag"], "true")
        # The same key for another method is another request.
        assert client.delete(path, headers={"Idempotency-Key": "a"}).status_code == 422
        gone = [client.delete(path, headers={"Idempotency-Key": "b"}) for _ in range(2)]
        assert [(one.status_code, one.content, "Content-Type" in one) for one in gone] == [(204, b"", False)] * 2
        assert client.delete(path).status_code == 404

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            pytest.param({"name": ""}, "/name", id="empty name"),
            pytest.param({"name": "x" * 201}, "/name", id="long name"),
            pytest.param({"name": ["x"]}, "/name", id="list for a text"),
            pytest.param({"key": "123"}, "/key", id="a key that reads as an id"),
            pytest.param({"key": "a\nb"}, "/key", id="a key nobody can type"),
            pytest.param({"key": ""}, "/key", id="empty key"),
            pytest.param({"type": "no slug"}, "/type", id="type is no slug"),
            pytest.param({"type": {"slug": "x"}}, "/type", id="dict for a slug"),
            pytest.param({"status": "broken"}, "/status", id="unknown status"),
            pytest.param({"site": True}, "/site", id="bool for an id"),
            pytest.param({"site": 2**70}, "/site", id="id beyond bigint"),
            pytest.param({"site": {"id": 1}}, "/site", id="dict for an id"),
            pytest.param({"parent": 99_999}, "/parent", id="absent parent"),
            pytest.param({"installation_date": "2024-02-30"}, "/installation_date", id="no such day"),
            pytest.param({"location": {"latitude": 1}}, "/location/longitude", id="half a place"),
            pytest.param({"location": {"latitude": 91, "longitude": 0}}, "/location/latitude", id="beyond the pole"),
            pytest.param(
                {"location": {"latitude": 10**400, "longitude": 0}}, "/location/latitude", id="larger than a float"
            ),
            pytest.param(
                {"location": {"latitude": True, "longitude": 0}}, "/location/latitude", id="bool, not a number"
            ),
            pytest.param({"location": {"latitude": "nan", "longitude": 0}}, "/location/latitude", id="nan as text"),
            pytest.param({"location": [1, 2]}, "/location", id="list for a place"),
            pytest.param({"attributes": []}, "/attributes", id="list for an object"),
            pytest.param({"attributes": {str(n): 1 for n in range(101)}}, "/attributes", id="101 attributes"),
            pytest.param({"attributes": {"a": "x" * 20_000}}, "/attributes", id="huge attributes"),
            pytest.param({"tags": ["x"] * 51}, "/tags", id="51 tags"),
            pytest.param({"tags": ["x" * 65]}, "/tags/0", id="long tag"),
            pytest.param({"tags": "x"}, "/tags", id="text for a list"),
            pytest.param({"expected_interval": "5 minutes"}, "/expected_interval", id="not ISO 8601"),
            pytest.param({"expected_interval": "-PT5M"}, "/expected_interval", id="negative duration"),
        ],
    )
    def test_bad_input_is_a_400_that_names_the_field(self, client, door, change, pointer):
        response = client.post(f"/api/{door}/", {"name": "Press"} | change, format="json")
        assert response.status_code == 400, response.content
        assert pointers(response) == [pointer]
        assert not Asset.objects.exists()

    def test_infinity_by_the_back_door_is_a_400(self, client, door):
        body = b'{"name": "Press", "attributes": {"a": 1e400}}'
        response = client.post(f"/api/{door}/", body, content_type="application/json")
        assert response.status_code == 400
        assert not Asset.objects.exists()

    def test_a_key_is_taken_by_either_door(self, client, robot, station, door):
        for key in (robot.key, station.key):
            response = client.post(f"/api/{door}/", {"name": "Press", "key": key}, format="json")
            assert response.status_code == 409
            assert response.json()["code"] == "already_exists"
            assert pointers(response) == ["/key"]

    def test_repeated_tags_are_one(self, client, door):
        body = client.post(f"/api/{door}/", {"name": "Press", "tags": ["b", "a", "b"]}, format="json").json()
        assert body["tags"] == ["b", "a"]


class TestWhoMay:
    def test_a_viewer_and_an_operator_may_read_and_not_write(self, api, vera, olga, robot):
        for person in (vera, olga):
            client = api(person)
            assert client.get(f"/api/equipment/{robot.pk}/").status_code == 200
            assert client.post("/api/equipment/", {"name": "x"}, format="json").status_code == 403
            assert client.patch(f"/api/equipment/{robot.pk}/", {"name": "x"}, format="json").status_code == 403
            assert client.delete(f"/api/equipment/{robot.pk}/").status_code == 403
        robot.refresh_from_db()
        assert (robot.name, robot.version) == ("Robot 1", 1)

    def test_a_twin_of_another_site_finds_nothing(self, api, edda, robot):
        client = api(edda)
        path = f"/api/equipment/{robot.pk}/"
        assert client.get("/api/equipment/").json()["count"] == 0
        for call in (client.get, client.delete):
            assert call(path).status_code == 404
        for call in (client.put, client.patch):
            assert call(path, {"name": "x"}, format="json").status_code == 404

    def test_an_outsider_sees_an_empty_list(self, api, mallory, robot):
        assert api(mallory).get("/api/equipment/").json()["results"] == []
        assert api(mallory).post("/api/equipment/", {"name": "x"}, format="json").status_code == 403

    def test_a_foreign_site_and_parent_do_not_exist(self, client, other_site):
        foreign = factories.make_equipment(site=other_site)
        for field, pk in (("site", other_site.pk), ("parent", foreign.pk)):
            response = client.post("/api/equipment/", {"name": "x", field: pk}, format="json")
            assert (response.status_code, pointers(response)) == (400, [f"/{field}"])

    def test_without_site_it_needs_an_engineer_for_all_sites(self, api, erik, adam):
        body = {"name": "x", "site": None}
        assert api(erik).post("/api/equipment/", body, format="json").status_code == 403
        created = api(adam).post("/api/equipment/", {"name": "x"}, format="json")
        assert (created.status_code, created.json()["site"]) == (201, None)
        assert api(erik).get(f"/api/equipment/{created.json()['id']}/").status_code == 404

    def test_a_door_shows_its_own_kind_only(self, client, robot, station):
        assert client.get(f"/api/equipment/{station.pk}/").status_code == 404
        assert client.get(f"/api/sensors/{robot.pk}/").status_code == 404

    @pytest.mark.parametrize("pk", ["0", "-1", "x", "9" * 30, "\u0661"])
    def test_an_id_that_cannot_be_is_a_404(self, client, pk):
        assert client.get(f"/api/equipment/{pk}/").status_code == 404


class TestChanging:
    def test_a_patch_merges(self, client, robot):
        response = client.patch(f"/api/equipment/{robot.pk}/", {"status": "faulty", "location": None}, format="json")
        body = response.json()
        assert (response.status_code, response["ETag"]) == (200, '"2"')
        assert (body["status"], body["key"], body["type"], body["version"]) == ("faulty", "robot-1", "robot", 2)

    def test_a_patch_without_location_keeps_it(self, client, plant):
        asset = factories.make_equipment(site=plant, latitude=1.5, longitude=2.5)
        body = client.patch(f"/api/equipment/{asset.pk}/", {"name": "x"}, format="json").json()
        assert body["location"] == {"latitude": 1.5, "longitude": 2.5}

    def test_a_patch_merges_objects_and_replaces_lists(self, client, plant):
        created = client.post("/api/equipment/", FULL | {"site": plant.pk}, format="json").json()
        patch = {"location": {"latitude": 1}, "attributes": {"voltage": None, "colour": {"hue": 3}}, "tags": ["x"]}
        body = client.patch(f"/api/equipment/{created['id']}/", patch, format="json").json()
        assert body["location"] == {"latitude": 1, "longitude": -13.25}
        assert body["attributes"] == {"phases": ["L1", "L2"], "colour": {"hue": 3}}
        assert body["tags"] == ["x"]

    @pytest.mark.parametrize(
        ("patch", "pointer"),
        [
            pytest.param({"location": {"latitude": 1}}, "/location/longitude", id="half a place where there is none"),
            pytest.param({"location": {"latitude": 1, "longitude": None}}, "/location/longitude", id="half removed"),
            pytest.param({"name": {"first": "x"}}, "/name", id="object for a text"),
            pytest.param({"type": {"slug": None}}, "/type", id="object for a slug"),
            pytest.param({"site": None, "tags": [None]}, "/tags/0", id="null for a tag"),
        ],
    )
    def test_a_bad_patch_is_a_400_that_names_the_place(self, client, robot, patch, pointer):
        response = client.patch(f"/api/equipment/{robot.pk}/", patch, format="json")
        assert (response.status_code, pointers(response)) == (400, [pointer])
        robot.refresh_from_db()
        assert robot.version == 1

    @pytest.mark.parametrize("body", ["[]", "[1]", '"x"', "1", "null"])
    def test_a_body_that_is_no_object_is_a_400(self, client, robot, body):
        for call in (client.patch, client.put):
            assert call(f"/api/equipment/{robot.pk}/", body, content_type="application/json").status_code == 400
        assert client.post("/api/equipment/", body, content_type="application/json").status_code == 400

    def test_a_put_resets_what_it_leaves_out(self, client, plant):
        created = client.post("/api/equipment/", FULL | {"site": plant.pk}, format="json").json()
        bare = client.post("/api/equipment/", {"name": "Bare"}, format="json").json()
        replaced = client.put(f"/api/equipment/{created['id']}/", {"name": "Bare"}, format="json").json()
        own = {"id", "version", "created_at", "updated_at"}
        assert {k: v for k, v in replaced.items() if k not in own} == {k: v for k, v in bare.items() if k not in own}
        assert replaced["version"] == 2

    def test_a_stale_writer_gets_412_and_what_is_now(self, client, robot):
        path = f"/api/equipment/{robot.pk}/"
        first = client.patch(path, {"name": "First"}, format="json", headers={"If-Match": '"1"'})
        assert first.status_code == 200
        for call in (client.patch, client.put):
            late = call(path, {"name": "Late"}, format="json", headers={"If-Match": '"1"'})
            assert (late.status_code, late["ETag"]) == (412, '"2"')
            assert late.json()["current"] == first.json()
        assert client.delete(path, headers={"If-Match": '"1"'}).status_code == 412
        assert client.get(path).json()["name"] == "First"

    def test_moving_needs_an_engineer_at_both_sites(self, api, erik, adam, robot, other_site):
        path = f"/api/equipment/{robot.pk}/"
        assert api(erik).patch(path, {"site": None}, format="json").status_code == 403
        assert api(adam).patch(path, {"site": other_site.pk}, format="json").json()["site"] == other_site.pk
        assert api(erik).get(path).status_code == 404

    def test_nothing_is_a_part_of_itself(self, client, plant):
        top, middle, low = (factories.make_equipment(name, site=plant) for name in ("top", "middle", "low"))
        for child, parent in ((middle, top), (low, middle)):
            assert client.patch(f"/api/equipment/{child.pk}/", {"parent": parent.pk}, format="json").status_code == 200
        for parent in (top, middle, low):
            response = client.patch(f"/api/equipment/{top.pk}/", {"parent": parent.pk}, format="json")
            assert (response.status_code, pointers(response)) == (400, ["/parent"])
            assert response.json()["code"] == "circular_parent"

    def test_a_key_may_be_kept_and_may_not_be_taken(self, client, robot, station):
        path = f"/api/equipment/{robot.pk}/"
        assert client.patch(path, {"key": "robot-1"}, format="json").status_code == 200
        assert client.patch(path, {"key": station.key}, format="json").status_code == 409
        assert client.patch(path, {"key": None}, format="json").json()["key"] is None

    def test_read_only_fields_are_passed_over(self, client, robot):
        body = {"health": "critical", "last_seen": "2026-01-01T00:00:00Z", "version": 9, "id": 9}
        after = client.patch(f"/api/equipment/{robot.pk}/", body, format="json").json()
        assert (after["health"], after["last_seen"], after["version"], after["id"]) == ("unknown", None, 2, robot.pk)


class TestDeleting:
    def test_an_asset_without_data_just_goes(self, client, robot):
        assert client.delete(f"/api/equipment/{robot.pk}/").status_code == 204
        assert not Asset.objects.exists()
        assert not AssetState.objects.exists()
        assert client.delete(f"/api/equipment/{robot.pk}/").status_code == 404

    @pytest.mark.usefixtures("held")
    def test_data_must_be_confirmed_by_name(self, client, robot):
        path = f"/api/equipment/{robot.pk}/"
        for query in ("", "?confirm=robot+1", "?confirm="):
            response = client.delete(path + query)
            assert (response.status_code, response.json()["code"]) == (409, "asset_has_data")
            assert "3 alerts" in response.json()["detail"]
            assert "120 readings" in response.json()["detail"]
        assert client.delete(f"{path}?confirm=Robot+1").status_code == 204

    def test_a_parent_stays(self, client, plant, robot):
        factories.make_equipment(site=plant, parent=robot)
        response = client.delete(f"/api/equipment/{robot.pk}/")
        assert (response.status_code, response.json()["code"]) == (409, "in_use")

    def test_other_parameters_are_refused(self, client, robot):
        assert client.delete(f"/api/equipment/{robot.pk}/?force=1").status_code == 400
        assert client.get(f"/api/equipment/{robot.pk}/?confirm=x").status_code == 400


class TestListing:
    @pytest.fixture
    def fleet(self, plant):
        """Three machines that differ in everything a list can be narrowed by."""
        press, drill = factories.make_type("press"), factories.make_type("drill")
        days = ["2020-01-01", "2021-01-01", None]
        tags = [["a", 'q"t'], ["a%", "ключ"], []]
        for number, (kind, day, tag) in enumerate(zip((press, drill, None), days, tags, strict=True)):
            asset = factories.make_equipment(
                f"M{number}",
                site=plant,
                type=kind,
                installation_date=day,
                tags=tag,
                model=f"model {number}",
                status=["active", "faulty", "retired"][number],
            )
            seen = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), None][number]
            AssetState.objects.filter(pk=asset.pk).update(last_seen=seen)

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            pytest.param("type=press", ["M0"], id="type"),
            pytest.param("type=nothing", [], id="a type nobody has"),
            pytest.param("model=model 1", ["M1"], id="model"),
            pytest.param("status=retired", ["M2"], id="status"),
            pytest.param("tag=a", ["M0"], id="tag is exact"),
            pytest.param("tag=a%25", ["M1"], id="tag with a wildcard"),
            pytest.param('tag=q"t', ["M0"], id="tag with a quote"),
            pytest.param("tag=ключ", ["M1"], id="tag that is not ASCII"),
            pytest.param("tag=%25", [], id="a wildcard matches only itself"),
            pytest.param("search=m1", ["M1"], id="search in the name"),
            pytest.param("search=model 2", ["M2"], id="search in the model"),
            pytest.param("installed_after=2021-01-01", ["M1"], id="installed that day counts"),
            pytest.param("installed_before=2020-01-01", ["M0"], id="the day itself counts here too"),
            pytest.param("last_seen_before=2026-03-01T00:00:00Z", ["M0"], id="not heard of since"),
            pytest.param("ordering=-name", ["M2", "M1", "M0"], id="by name, backwards"),
            pytest.param("ordering=last_seen", ["M0", "M1", "M2"], id="longest ago first, never seen last"),
            pytest.param("ordering=-last_seen", ["M1", "M0", "M2"], id="newest first, never seen last"),
            pytest.param("ordering=status", ["M0", "M1", "M2"], id="by status"),
            pytest.param("page_size=2&page=2", ["M2"], id="second page"),
        ],
    )
    @pytest.mark.usefixtures("fleet")
    def test_it_narrows_and_orders(self, client, query, names):
        response = client.get(f"/api/equipment/?{query}")
        assert response.status_code == 200, response.content
        assert [row["name"] for row in response.json()["results"]] == names

    @pytest.mark.usefixtures("fleet")
    def test_it_narrows_by_site(self, api, adam, plant, other_site):
        for site, count in ((plant, 3), (other_site, 0)):
            assert api(adam).get(f"/api/equipment/?site={site.pk}").json()["count"] == count

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            pytest.param("colour=red", "?colour", id="unknown parameter"),
            pytest.param("status=broken", "?status", id="unknown status"),
            pytest.param("site=x", "?site", id="site is no number"),
            pytest.param(f"site={2**63}", "?site", id="site beyond bigint"),
            pytest.param("installed_after=yesterday", "?installed_after", id="no day"),
            pytest.param("last_seen_before=1890-01-01T00:00:00Z", "?last_seen_before", id="before every clock"),
            pytest.param("ordering=attributes", "?ordering", id="cannot order by that"),
            pytest.param("tag=%00", "?tag", id="NUL"),
            pytest.param("search=%00", "?search", id="NUL in a search"),
            pytest.param("page=0", "?page", id="page 0"),
            pytest.param(f"tag={'x' * 65}", "?tag", id="long tag"),
        ],
    )
    def test_bad_parameters_are_a_400_that_names_them(self, client, query, pointer):
        response = client.get(f"/api/equipment/?{query}")
        assert response.status_code == 400, response.content
        assert pointers(response) == [pointer]

    def test_its_queries_do_not_grow_with_it(self, client, plant, django_assert_num_queries):
        for number in range(3):
            factories.make_equipment(site=plant, type=factories.make_type(f"type-{number}"))
        with django_assert_num_queries(1):
            client.get("/api/equipment/")
        for number in range(30):
            factories.make_equipment(site=plant, type=factories.make_type(f"type-{number}"))
        with django_assert_num_queries(1):
            assert len(client.get("/api/equipment/").json()["results"]) == 33

    @pytest.mark.parametrize(
        ("page", "size", "shown", "queries"),
        [
            pytest.param(1, 5, 4, 1, id="one that is not full tells how many there are"),
            pytest.param(2, 3, 1, 1, id="so does the last of several"),
            pytest.param(1, 4, 4, 2, id="after a full one is counted"),
            pytest.param(2, 2, 2, 2, id="after a full last one is counted"),
            pytest.param(2, 4, None, 2, id="behind the last there is none"),
        ],
    )
    def test_counts_only_where_the_page_does_not_tell(
        self, client, plant, page, size, shown, queries, django_assert_num_queries
    ):
        for _ in range(4):
            factories.make_equipment(site=plant)
        with django_assert_num_queries(queries):
            response = client.get(f"/api/equipment/?page={page}&page_size={size}")
        if shown is None:
            assert response.status_code == 404
            return
        said = response.json()
        assert (said["count"], len(said["results"])) == (4, shown)
        assert bool(said["next"]) == (page * size < 4)

    def test_of_nothing_is_one_empty_page(self, client, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert client.get("/api/equipment/").json() == {"count": 0, "next": None, "previous": None, "results": []}

    def test_health_and_last_seen_are_those_of_the_state(self, client, robot):
        seen = datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC)
        AssetState.objects.filter(pk=robot.pk).update(health=Health.CRITICAL, last_seen=seen)
        row = client.get("/api/equipment/").json()["results"][0]
        assert (row["health"], row["last_seen"]) == ("critical", "2026-01-02T03:04:05.000600Z")
