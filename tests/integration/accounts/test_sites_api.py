"""Sites: who sees them, who changes them, and what keeps one from going."""

from __future__ import annotations

import pytest

from techtrack.accounts.models import Membership, Site, User
from tests.factories import make_site

STALE = {"If-Match": '"9"'}


class TestSites:
    def test_are_seen_by_those_who_have_a_role_there(self, adam, vera, mallory, plant, other_site, api):
        assert api(adam).get("/api/sites/").json()["count"] == 2
        assert [site["name"] for site in api(vera).get("/api/sites/").json()["results"]] == ["Plant"]
        assert api(mallory).get("/api/sites/").json()["count"] == 0
        assert api(vera).get(f"/api/sites/{other_site.pk}/").status_code == 404
        assert api(None).get("/api/sites/").status_code == 401

    @pytest.mark.parametrize("name", ["vera", "olga", "erik"])
    def test_are_changed_by_admins_for_all_sites_only(self, name, vera, olga, erik, plant, other_site, api):
        client = api(User.objects.get(username=name))
        assert client.post("/api/sites/", {"name": "Elsewhere"}, format="json").status_code == 403
        for site, status in ((plant, 403), (other_site, 404)):
            path = f"/api/sites/{site.pk}/"
            assert client.patch(path, {"name": "Mine"}, format="json").status_code == status
            assert client.put(path, {"name": "Elsewhere"}, format="json").status_code == status
            assert client.delete(path).status_code == status
        assert set(Site.objects.values_list("name", flat=True)) == {"Plant", "Elsewhere"}

    def test_of_an_admin_of_one_site_are_not_changed_by_it(self, plant, olga, api):
        Membership.objects.filter(user=olga).update(role="admin")
        assert api(olga).patch(f"/api/sites/{plant.pk}/", {"address": "x"}, format="json").status_code == 403

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("search=els", ["Elsewhere"]),
            ("ordering=-name", ["Plant", "Hall", "Elsewhere"]),
            ("parent={plant}", ["Hall"]),
        ],
    )
    def test_are_filtered(self, query, names, adam, plant, other_site, api):
        make_site("Hall", parent=plant)
        body = api(adam).get(f"/api/sites/?{query.format(plant=plant.pk)}").json()
        assert [site["name"] for site in body["results"]] == names


class TestCreate:
    def test_needs_a_name_alone(self, adam, api):
        answer = api(adam).post("/api/sites/", {"name": "Harbour"}, format="json")
        assert answer.status_code == 201
        body = answer.json()
        assert body | {"id": 0, "created_at": "", "updated_at": ""} == {
            "id": 0,
            "name": "Harbour",
            "timezone": "UTC",
            "latitude": None,
            "longitude": None,
            "address": "",
            "parent": None,
            "version": 1,
            "created_at": "",
            "updated_at": "",
        }
        assert answer["Location"].endswith(f"/api/sites/{body['id']}/")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            pytest.param({}, "/name", id="no name"),
            pytest.param({"name": ""}, "/name", id="empty name"),
            pytest.param({"name": ["a"]}, "/name", id="a list for a name"),
            pytest.param({"name": "n" * 201}, "/name", id="name too long"),
            pytest.param({"name": "a", "timezone": "Europe/Atlantis"}, "/timezone", id="no such zone"),
            pytest.param({"name": "a", "timezone": None}, "/timezone", id="null zone"),
            pytest.param({"name": "a", "latitude": 90.5}, "/latitude", id="beyond the pole"),
            pytest.param({"name": "a", "latitude": "nan"}, "/latitude", id="not a number"),
            pytest.param({"name": "a", "longitude": 10**400}, "/longitude", id="beyond every float"),
            pytest.param({"name": "a", "longitude": True}, "/longitude", id="true for a number"),
            pytest.param({"name": "a", "parent": 999}, "/parent", id="unknown parent"),
            pytest.param({"name": "a", "parent": 2**64}, "/parent", id="huge parent"),
            pytest.param({"name": "a", "parent": {"id": 1}}, "/parent", id="object for a parent"),
            pytest.param({"name": "a", "parent": True}, "/parent", id="true for a parent"),
        ],
    )
    def test_names_what_is_wrong(self, body, pointer, adam, api):
        answer = api(adam).post("/api/sites/", body, format="json")
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        assert not Site.objects.exists()

    def test_refuses_a_name_that_is_taken(self, adam, plant, api):
        assert api(adam).post("/api/sites/", {"name": "Plant"}, format="json").status_code == 409


class TestUpdate:
    def test_merges_and_replaces(self, adam, plant, api):
        path = f"/api/sites/{plant.pk}/"
        answer = api(adam).patch(path, {"latitude": 52.5, "longitude": 13}, format="json")
        assert (answer.json()["latitude"], answer.json()["timezone"]) == (52.5, "Europe/Berlin")
        answer = api(adam).put(path, {"name": "Plant 1"}, format="json")
        assert (answer.json()["latitude"], answer.json()["timezone"]) == (None, "UTC")
        assert answer["ETag"] == '"3"'

    def test_with_a_stale_version_changes_nothing(self, adam, plant, api):
        path = f"/api/sites/{plant.pk}/"
        assert api(adam).patch(path, {"name": "B"}, format="json", headers=STALE).status_code == 412
        assert api(adam).delete(path, headers=STALE).status_code == 412
        assert Site.objects.get().name == "Plant"

    def test_puts_no_site_inside_itself(self, adam, plant, api):
        hall = make_site("Hall", parent=plant)
        corner = make_site("Corner", parent=hall)
        for parent in (plant, hall, corner):
            answer = api(adam).patch(f"/api/sites/{plant.pk}/", {"parent": parent.pk}, format="json")
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "/parent"
        assert api(adam).patch(f"/api/sites/{corner.pk}/", {"parent": plant.pk}, format="json").status_code == 200


class TestDelete:
    def test_of_an_empty_site_takes_its_roles_along(self, adam, vera, plant, api):
        assert api(adam).delete(f"/api/sites/{plant.pk}/").status_code == 204
        assert not Membership.objects.filter(user=vera).exists()

    def test_of_a_used_site_says_what_stands_there(self, adam, robot, plant, api):
        make_site("Hall", parent=plant)
        answer = api(adam).delete(f"/api/sites/{plant.pk}/")
        assert answer.status_code == 409
        assert answer.json()["code"] == "site_in_use"
        assert Site.objects.filter(pk=plant.pk).exists()
