"""Names of those one works with."""

from __future__ import annotations

import pytest

from techtrack.accounts.domain.access import Role, Scope
from techtrack.accounts.models import User
from tests.factories import make_user

DOOR = "/api/people/"


def names(client, query=""):
    return [row["username"] for row in client.get(f"{DOOR}{query}").json()["results"]]


class TestPeople:
    def test_are_those_who_share_a_site(self, adam, olga, vera, oscar, mallory, api):
        assert names(api(olga)) == ["adam", "olga", "vera"]
        assert names(api(oscar)) == ["adam", "oscar"]

    def test_are_everybody_for_whoever_sees_all_sites(self, adam, olga, oscar, mallory, api):
        assert names(api(adam)) == ["adam", "mallory", "olga", "oscar"]

    def test_are_nobody_else_for_an_outsider(self, adam, olga, mallory, api):
        assert names(api(mallory)) == ["mallory"]

    def test_are_active(self, olga, vera, api):
        User.objects.filter(pk=vera.pk).update(is_active=False)
        assert names(api(olga)) == ["olga"]

    def test_are_named_and_nothing_else(self, olga, plant, api):
        tom = make_user("tom", role=Role.VIEWER, site=plant, first_name="Tom", last_name="Torres")
        rows = {row["id"]: row for row in api(olga).get(DOOR).json()["results"]}
        assert rows[tom.pk] == {"id": tom.pk, "username": "tom", "name": "Tom Torres"}
        assert rows[olga.pk]["name"] == "olga"

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?search=tor", ["tom"]),
            ("?search=OLG", ["olga"]),
            ("?search=example.org", []),
            ("?page_size=1&page=2", ["tom"]),
            ("?ordering=-username", ["tom", "olga"]),
        ],
    )
    def test_are_found(self, query, found, olga, plant, api):
        make_user("tom", role=Role.VIEWER, site=plant, last_name="Torres")
        assert names(api(olga), query) == found

    @pytest.mark.parametrize("query", ["?ordering=email", "?email=x", "?search=" + "a" * 201])
    def test_are_not_asked_for_what_they_do_not_tell(self, query, olga, api):
        assert api(olga).get(f"{DOOR}{query}").status_code == 400

    def test_of_a_machine_are_those_of_its_site(self, adam, olga, oscar, plant, other_site, client):
        client.force_login(adam)
        made = {"name": "k", "scope": Scope.READ, "site": plant.pk}
        key = client.post("/api/keys/", made, content_type="application/json").json()["key"]
        client.logout()
        rows = client.get(DOOR, headers={"X-API-Key": key}).json()["results"]
        assert [row["username"] for row in rows] == ["adam", "olga"]

    def test_are_hidden_from_strangers(self, olga, api):
        assert api(None).get(DOOR).status_code == 401
